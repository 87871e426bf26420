/*
 * preload.c
 *	  Loaded into the server after the run-time library of AddressSanitizer.
 *
 * While that library starts, an error of dlsym() is translated, and leaves
 * glibc's lock of the message catalogues unlocked once too often: the next to
 * ask for it to be written waits forever.  PostgreSQL does so with the first
 * thing it does.  It needs no catalogues here.
 *
 * What the server starts (the simulator, its control program) is not examined.
 */
#include <stdlib.h>

char *
bindtextdomain(const char *domain, const char *directory)
{
	return (char *) directory;
}

char *
textdomain(const char *domain)
{
	return (char *) domain;
}

char *
bind_textdomain_codeset(const char *domain, const char *codeset)
{
	return (char *) codeset;
}

__attribute__((constructor)) static void
examine_no_children(void)
{
	unsetenv("LD_PRELOAD");
}

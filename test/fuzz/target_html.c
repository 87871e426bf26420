/*
 * test/fuzz/target_html.c
 *	  Login forms: read, and sent.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "net/html.h"
#include "net/url.h"
#include "fuzz.h"

static void
read_forms(const char *data, size_t size)
{
	ListCell   *cell;
	ListCell   *inner;
	char	   *text;

	foreach(cell, crm_html_forms(data, size))
	{
		CrmHtmlForm *form = lfirst(cell);

		FUZZ_CHECK(fuzz_is_text(form->action, strlen(form->action)));
		foreach(inner, form->inputs)
		{
			CrmHtmlInput *input = lfirst(inner);

			FUZZ_CHECK(input->name != NULL && input->type != NULL && input->value != NULL);
			FUZZ_CHECK(fuzz_is_text(input->name, strlen(input->name)));
			FUZZ_CHECK(fuzz_is_text(input->value, strlen(input->value)));
		}
	}
	text = crm_html_text(data, size, "error");
	FUZZ_CHECK(text == NULL || fuzz_is_text(text, strlen(text)));
}

/* What a server makes of so many bytes of a form. */
static void
decode(StringInfo out, const char *text, size_t length)
{
	for (const char *c = text; c < text + length; c++)
	{
		unsigned int byte = *c == '+' ? ' ' : *c;

		FUZZ_CHECK(*c > ' ' && *c <= '~');
		if (*c == '%')
		{
			FUZZ_CHECK(length - (c - text) >= 3 && sscanf(c + 1, "%2x", &byte) == 1);
			c += 2;
		}
		appendStringInfoChar(out, (char) byte);
	}
	appendStringInfoChar(out, '\n');
}

/* The form's names and values, a line each. */
static char *
decode_form(const char *form)
{
	StringInfoData out;

	initStringInfo(&out);
	while (*form)
	{
		size_t		length = strcspn(form, "&");
		size_t		name = strcspn(form, "=&");

		FUZZ_CHECK(name < length);
		decode(&out, form, name);
		decode(&out, form + name + 1, length - name - 1);
		form += length + (form[length] == '&');
	}
	return out.data;
}

/* Each line is a name or its value, in turn: they arrive as they are. */
static void
send_form(const char *data, size_t size)
{
	StringInfoData form;
	StringInfoData lines;
	char	   *words[2];
	int			n = 0;

	initStringInfo(&form);
	initStringInfo(&lines);
	for (const char *end; (end = memchr(data, '\n', size)) != NULL; size -= end + 1 - data, data = end + 1)
	{
		words[n++] = pnstrdup(data, end - data);
		if (n < 2)
			continue;
		n = 0;
		crm_url_append_input(&form, words[0], words[1]);
		appendStringInfo(&lines, "%s\n%s\n", words[0], words[1]);
	}
	FUZZ_CHECK(strcmp(decode_form(form.data), lines.data) == 0);
}

static void __attribute__((constructor))
fuzz_register_html(void)
{
	fuzz_register("form", send_form);
	fuzz_register("html", read_forms);
}

/*
 * test/fuzz/target_html.c
 *	  Login forms.
 */
#include "postgres.h"

#include "net/html.h"
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

static void __attribute__((constructor))
fuzz_register_html(void)
{
	fuzz_register("html", read_forms);
}

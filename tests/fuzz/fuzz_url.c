/* ss:// URLs. What is read and complete can be written, and reads back as the same. */
#include "fuzz.h"

#include "conf/url.h"

#define LONGEST 8192 /* what url_parse() reads: escapes may make a long tag longer than that */

static int same(const struct spec_text *a, const struct spec_text *b)
{
	return (!a->text && !b->text) || (a->text && b->text && strcmp(a->text, b->text) == 0);
}

static void round_trip(const struct server_spec *s)
{
	char *url = url_format(s), err[256] = "";
	struct server_spec again = { 0 };

	must(url != NULL);
	if (strlen(url) > LONGEST) {
		url_free(url);
		return;
	}
	must(url_parse(url, &again, err, sizeof(err)) == 0);
	must(same(&s->host, &again.host) && same(&s->method, &again.method) && same(&s->password, &again.password));
	spec_free(&again);
	url_free(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char *text = malloc(size + 1), err[256] = "";
	struct server_spec s = { 0 };

	input_copy(&in, text, size);
	text[size] = '\0';
	if (url_is_ss(text)) {
		if (url_parse(text, &s, err, sizeof(err)) == 0)
			round_trip(&s);
		else
			must(err[0] != '\0');
		spec_free(&s);
	}
	free(text);
	return 0;
}

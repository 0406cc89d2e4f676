/*
 * ACL files: any text is read to its end, and what is usable answers any
 * question. The first byte is how much of the rest is the question.
 */
#include "fuzz.h"

#include "route/decide.h"

static void ask(const struct acl *a, const uint8_t *data, size_t size)
{
	struct target t = { .name_len = (uint8_t)(size > TARGET_NAME_MAX ? TARGET_NAME_MAX : size) };
	struct addr ip = size >= 16 ? addr_v6(data, 1) : size >= 4 ? addr_v4(data, 1) : (struct addr){ 0 };
	bool named;

	memcpy(t.name, data, t.name_len);
	must(route_target(a, &t) <= ROUTE_RESOLVE);
	must(route_resolved(a, &ip, ip.family != 0) < ROUTE_BLOCK);
	route_client_denied(a, &ip);
	if (route_name_denied(a, t.name, t.name_len, &named))
		must(!named);
	if (route_address_denied(a, &ip, true))
		must(route_address_denied(a, &ip, false)); /* a name's favour never takes away */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	size_t asked = input_byte(&in), len;
	uint8_t *question = input_block(&in, asked), *text;
	struct problems p = { .source = "fuzz" };
	struct acl *a;

	len = in.left;
	text = input_block(&in, len);
	p.text = (const char *)text;
	p.text_len = len;
	a = acl_parse(p.text, len, &p);
	must(a || p.n_errors);
	if (a)
		ask(a, question, asked);
	acl_unref(a);
	problems_free(&p);
	free(question);
	free(text);
	return 0;
}

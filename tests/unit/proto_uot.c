/* UDP over TCP's bytes are those of sing-box (written down from its sources and
 * held against it in tests/netns/uot.sh); what is cut short asks for more, and
 * nonsense is refused. */
#include "vectors.h"

#include <errno.h>

#include "proto/uot.h"

static struct target target_of(const char *text)
{
	struct target t;

	assert_int_equal(target_parse(text, &t), 0);
	return t;
}

static const struct {
	const char *target;
	uint8_t request[32], head[32];
	size_t request_len, head_len;
} known[] = {
	{ "192.0.2.7:443", { 0, 1, 192, 0, 2, 7, 1, 187 }, { 0, 192, 0, 2, 7, 1, 187, 4, 210 }, 8, 9 },
	{ "[2001:db8::7]:53",
	  { 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 53 },
	  { 1, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 53, 4, 210 },
	  20, 21 },
	{ "dns.lab:53", { 0, 3, 7, 'd', 'n', 's', '.', 'l', 'a', 'b', 0, 53 }, { 2, 7, 'd', 'n', 's', '.', 'l', 'a', 'b', 0, 53, 4, 210 },
	  12, 13 },
};
#define N_KNOWN (sizeof(known) / sizeof(known[0]))

static void known_answers(void **state)
{
	uint8_t out[UOT_REQUEST_MAX + UOT_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < N_KNOWN; i++) {
		struct target t = target_of(known[i].target);

		assert_int_equal(uot_put_request(false, &t, out), known[i].request_len);
		assert_memory_equal(out, known[i].request, known[i].request_len);
		assert_int_equal(uot_put_request(true, &t, out), known[i].request_len);
		assert_int_equal(out[0], 1);
		assert_int_equal(uot_head_len(false, &t), known[i].head_len);
		assert_int_equal(uot_put_head(false, &t, 1234, out), known[i].head_len);
		assert_memory_equal(out, known[i].head, known[i].head_len);
		assert_int_equal(uot_head_len(true, &t), 2);
		assert_int_equal(uot_put_head(true, &t, 1234, out), 2);
		assert_memory_equal(out, ((const uint8_t[]){ 4, 210 }), 2);
	}
}

static void every_cut_asks_for_more(void **state)
{
	struct target t;
	uint16_t len;
	bool connected;

	(void)state;
	for (size_t i = 0; i < N_KNOWN; i++) {
		for (size_t n = 0; n < known[i].request_len; n++)
			assert_int_equal(uot_read_request(known[i].request, n, &connected, &t), 0);
		for (size_t n = 0; n < known[i].head_len; n++)
			assert_int_equal(uot_read_head(false, known[i].head, n, &t, &len), 0);
		assert_int_equal(uot_read_request(known[i].request, 32, &connected, &t), known[i].request_len);
		assert_false(connected);
		assert_int_equal(uot_read_head(false, known[i].head, 32, &t, &len), known[i].head_len);
		assert_int_equal(len, 1234);

		struct target want = target_of(known[i].target);

		assert_int_equal(t.name_len, want.name_len);
		assert_true(addr_equal(&t.ip, &want.ip));
	}
	assert_int_equal(uot_read_head(true, (const uint8_t[]){ 1 }, 1, &t, &len), 0);
	assert_int_equal(uot_read_head(true, (const uint8_t[]){ 1, 2 }, 2, &t, &len), 2);
	assert_int_equal(len, 258);
}

static void nonsense_is_refused(void **state)
{
	static const uint8_t flag[] = { 2, 1, 1, 2, 3, 4, 0, 53 }, type[] = { 0, 0, 1, 2, 3, 4, 0, 53 };
	static const uint8_t frame[] = { 3, 1, 2, 3, 4, 0, 53 }, empty[] = { 2, 0, 0, 53 };
	struct target t;
	uint16_t len;
	bool connected;

	(void)state;
	assert_int_equal(uot_read_request(flag, sizeof(flag), &connected, &t), -EPROTO);
	assert_int_equal(uot_read_request(type, sizeof(type), &connected, &t), -EPROTO);
	assert_int_equal(uot_read_head(false, frame, sizeof(frame), &t, &len), -EPROTO);
	assert_int_equal(uot_read_head(false, empty, sizeof(empty), &t, &len), -EPROTO);
}

static void the_magic_names(void **state)
{
	struct target t = target_of("sp.udp-over-tcp.arpa:1");

	(void)state;
	assert_int_equal(uot_version(&t), 1);
	t = target_of("SP.v2.UDP-over-TCP.arpa:1");
	assert_int_equal(uot_version(&t), 2);
	t = target_of("v2.udp-over-tcp.arpa:1");
	assert_int_equal(uot_version(&t), 0);
	t = target_of("sp.v2.udp-over-tcp.arpa.:1");
	assert_int_equal(uot_version(&t), 0);
	t = target_of("192.0.2.1:1");
	assert_int_equal(uot_version(&t), 0);
	uot_target(&t);
	assert_string_equal(t.name, "sp.v2.udp-over-tcp.arpa");
	assert_int_equal(uot_version(&t), 2);
	assert_int_equal(target_port(&t), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_answers),
		cmocka_unit_test(every_cut_asks_for_more),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(the_magic_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

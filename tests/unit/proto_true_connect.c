/* The question and the answer of a true connect are byte for byte what
 * docs/true-connect.md says, held by vectors that were not made with gatun; a
 * client that did not ask refuses them, and only a client that asked is told. */
#include "vectors.h"

#include <errno.h>

#include "proto/ss_stream.h"

#define TS 1700000000u
#define FILE_NAME "true-connect.txt"

static const struct ss_method *method;
static uint8_t key[16], request_salt[16], salt[16];

static int set_up(void **state)
{
	(void)state;
	method = ss_method_find("2022-blake3-aes-128-gcm");
	count_up(key, 0, 16);
	count_up(request_salt, 0xa0, 16);
	count_up(salt, 0xc0, 16);
	return 0;
}

static void the_question(void **state)
{
	uint8_t want[256], got[256];
	struct ss_sealer s;
	struct target t;
	size_t n;

	(void)state;
	assert_int_equal(target_parse("1.2.3.4:443", &t), 0);
	ss_sealer_init(&s, method, key, request_salt);
	s.asks_connect = true;
	n = ss_seal_request(&s, NULL, request_salt, TS, &t, 10, 0, got);
	assert_int_equal(vector(FILE_NAME, "true-connect question 1.2.3.4:443 pad=10", want, sizeof(want)), n);
	assert_memory_equal(got, want, n);
	ss_sealer_wipe(&s);
}

static size_t seal_answers(const enum flow_end *words, int n, uint8_t *out)
{
	struct ss_sealer s;
	size_t len;

	ss_sealer_init(&s, method, key, salt);
	len = ss_seal_connect_answer(&s, salt, TS, request_salt, words[0], out);
	assert_int_equal(len, ss_connect_answer_len(method));
	for (int i = 1; i < n; i++)
		len += ss_seal_connect_answer_chunk(&s, words[i], out + len);
	ss_sealer_wipe(&s);
	return len;
}

static void the_answers(void **state)
{
	static const enum flow_end refused[] = { END_REFUSED }, late[] = { END_COUNT, END_DONE };
	uint8_t want[256], got[256];

	(void)state;
	assert_int_equal(vector(FILE_NAME, "true-connect answer refused", want, sizeof(want)), seal_answers(refused, 1, got));
	assert_memory_equal(got, want, ss_connect_answer_len(method));
	assert_int_equal(vector(FILE_NAME, "true-connect answer pending, then connected", want, sizeof(want)), seal_answers(late, 2, got));
	assert_memory_equal(got, want, ss_connect_answer_len(method) + SS_CONNECT_ANSWER_CHUNK);
}

/* Opens unit by unit what a server sent. 0 or the opener's error. */
static int open_all(struct ss_opener *o, struct ss_handshake *hs, bool asked, uint8_t *wire, size_t len, int *payload)
{
	struct ss_opened opened;
	size_t at = 0;

	memset(hs, 0, sizeof(*hs));
	memcpy(hs->salt, request_salt, 16);
	ss_opener_init(o, method, false);
	o->asked = asked;
	*payload = 0;
	while (at + o->need <= len) {
		size_t need = o->need;
		int rc = ss_opener_next(o, key, hs, TS, wire + at, &opened);

		if (rc < 0)
			return rc;
		*payload += (int)opened.len;
		at += need;
	}
	assert_int_equal(at, len);
	return 0;
}

static void who_asked_is_told(void **state)
{
	static const enum flow_end words[] = { END_DONE, END_REFUSED, END_UNREACHABLE, END_NET_UNREACHABLE, END_CONNECT_TIMEOUT,
					       END_NAME, END_DENIED, END_LIMIT };
	struct ss_handshake hs;
	struct ss_opener o;
	uint8_t wire[512];
	int payload;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		assert_int_equal(open_all(&o, &hs, true, wire, seal_answers(&words[i], 1, wire), &payload), 0);
		assert_true(o.answered);
		assert_int_equal(o.answer, words[i]);
		assert_int_equal(payload, 0);
		assert_true(ss_opener_at_boundary(&o));
		ss_opener_wipe(&o);
	}
	seal_answers((const enum flow_end[]){ END_EVICTED }, 1, wire); /* it has no code: the server's own trouble */
	assert_int_equal(open_all(&o, &hs, true, wire, ss_connect_answer_len(method), &payload), 0);
	assert_int_equal(o.answer, END_LIMIT);
	ss_opener_wipe(&o);
}

static void not_yet_and_then_a_word(void **state)
{
	static const enum flow_end late[] = { END_COUNT, END_REFUSED }, twice[] = { END_REFUSED, END_REFUSED };
	struct ss_handshake hs;
	struct ss_opener o;
	uint8_t wire[512];
	int payload;

	(void)state;
	assert_int_equal(open_all(&o, &hs, true, wire, seal_answers(late, 2, wire), &payload), 0);
	assert_int_equal(o.answer, END_REFUSED);
	ss_opener_wipe(&o);
	assert_int_equal(open_all(&o, &hs, true, wire, seal_answers(twice, 2, wire), &payload), -EPROTO);
	ss_opener_wipe(&o);
}

static void who_did_not_ask_refuses_it(void **state)
{
	static const enum flow_end refused[] = { END_REFUSED };
	struct ss_handshake hs;
	struct ss_opener o;
	uint8_t wire[512];
	int payload;

	(void)state;
	assert_int_equal(open_all(&o, &hs, false, wire, seal_answers(refused, 1, wire), &payload), -EPROTO);
	assert_false(o.answered);
	ss_opener_wipe(&o);
}

/* sing-box's server sends an empty head and then ordinary chunks. */
static void an_empty_head_alone_is_no_answer(void **state)
{
	struct ss_handshake hs;
	struct ss_opener o;
	struct ss_sealer s;
	uint8_t wire[512];
	int payload;
	size_t len;

	(void)state;
	for (int asked = 0; asked < 2; asked++) {
		ss_sealer_init(&s, method, key, salt);
		/* head as of an answer, then a chunk where the answer would stand */
		ss_seal_connect_answer(&s, salt, TS, request_salt, END_DONE, wire);
		s.nonce = 1;
		len = ss_response_offset(method);
		len += ss_seal_chunk(&s, (const uint8_t *)"hello", 5, wire + len);
		assert_int_equal(open_all(&o, &hs, asked, wire, len, &payload), 0);
		assert_false(o.answered);
		assert_int_equal(payload, 5);
		ss_opener_wipe(&o);
		ss_sealer_wipe(&s);
	}
}

static void answers_of_other_versions(void **state)
{
	enum flow_end why;

	(void)state;
	assert_int_equal(true_connect_read_answer((const uint8_t[]){ 2, 0, 0, 0 }, &why), -EPROTO);
	assert_int_equal(true_connect_read_answer((const uint8_t[]){ 1, 99, 0, 0 }, &why), 0);
	assert_int_equal(why, END_NO_REPLY);
	assert_int_equal(true_connect_read_answer((const uint8_t[]){ 1, 1, 7, 7 }, &why), 0); /* room for later */
	assert_int_equal(why, END_REFUSED);
}

static void the_mark(void **state)
{
	uint8_t padding[TRUE_CONNECT_MARK_LEN + 1] = { 0 };

	(void)state;
	assert_false(true_connect_has_mark(padding, sizeof(padding)));
	true_connect_put_mark(padding);
	assert_true(true_connect_has_mark(padding, sizeof(padding)));
	assert_true(true_connect_has_mark(padding, TRUE_CONNECT_MARK_LEN));
	assert_false(true_connect_has_mark(padding, TRUE_CONNECT_MARK_LEN - 1));
	padding[7]++; /* another version is another question */
	assert_false(true_connect_has_mark(padding, sizeof(padding)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_question),
		cmocka_unit_test(the_answers),
		cmocka_unit_test(who_asked_is_told),
		cmocka_unit_test(not_yet_and_then_a_word),
		cmocka_unit_test(who_did_not_ask_refuses_it),
		cmocka_unit_test(an_empty_head_alone_is_no_answer),
		cmocka_unit_test(answers_of_other_versions),
		cmocka_unit_test(the_mark),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}

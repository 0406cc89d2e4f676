/* What `gatun doctor` asks a Shadowsocks server, against one in a child process whose
 * clock and key are what the test says. Each of its connections is one read, one answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/random.h"
#include "doctor/ask.h"
#include "proto/ss_stream.h"

#define WAIT_MS 20000 /* what is silent closes at once here: only a busy machine needs it */

enum manner { ANSWERS, ANSWERS_CONNECT, BABBLES, IS_MUTE };

struct far {
	const struct ss_method *method;
	uint8_t key[SS_KEY_MAX];
	const struct ss_users *users;
	int64_t offset;
	enum manner manner;
	/* filled in */
	struct addr at;
	pid_t pid;
};

static uint64_t time_of(const struct far *s)
{
	return clock_unix() + (uint64_t)s->offset;
}

/* 0 where the request is whole and welcome. */
static int read_request(const struct far *s, int fd, struct ss_handshake *hs)
{
	uint8_t in[4096];
	struct ss_opened opened;
	struct ss_opener o;
	ssize_t n = read(fd, in, sizeof(in)), at = 0;

	ss_opener_init(&o, s->method, true);
	if (s->users)
		ss_opener_use_users(&o, hs, s->users);
	while (!o.addressed) {
		ssize_t need = o.need;

		if (n - at < need || ss_opener_next(&o, s->key, hs, time_of(s), in + at, &opened) != 0)
			return -1;
		at += need;
	}
	return o.method->sip022 && !hs->asks_connect ? -1 : 0;
}

static void answer(const struct far *s, int fd, const struct ss_handshake *hs)
{
	struct ss_sealer sealer;
	uint8_t salt[SS_SALT_MAX], out[1024];
	size_t len;

	random_bytes(salt, sizeof(salt));
	ss_sealer_init(&sealer, s->method, hs->user ? hs->user->key : s->key, salt);
	if (s->manner == ANSWERS_CONNECT) {
		len = ss_seal_connect_answer(&sealer, salt, time_of(s), hs->salt, END_REFUSED, out);
	} else {
		memset(out + ss_response_offset(s->method), 'x', 9);
		len = ss_seal_response(&sealer, salt, time_of(s), hs->salt, 9, out);
	}
	assert_int_equal(send(fd, out, len, MSG_NOSIGNAL), len);
}

_Noreturn static void serve(const struct far *s, int listener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		struct ss_handshake hs = { 0 };
		uint8_t noise[300];

		if (fd < 0)
			_exit(1);
		if (s->manner == IS_MUTE)
			continue;
		random_bytes(noise, sizeof(noise));
		if (s->manner == BABBLES && read(fd, &hs, 1) == 1)
			send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
		else if (read_request(s, fd, &hs) == 0)
			answer(s, fd, &hs);
		close(fd);
	}
}

static void far_open(struct far *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 64), 0);
	s->at = addr_of_socket(fd);
	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0)
		serve(s, fd);
	close(fd);
}

static void far_close(struct far *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
}

static struct far far_of(const char *method, int64_t offset, enum manner manner)
{
	struct far s = { .method = ss_method_find(method), .offset = offset, .manner = manner };

	random_bytes(s.key, sizeof(s.key));
	return s;
}

static struct ask_answer ask(const struct far *s, const struct config_server *server, const int64_t *shifts, int n, int wait_ms)
{
	static const struct socket_rules rules;
	struct ask_answer answer;
	struct target through;
	struct ask a = { .server = server, .at = &s->at, .rules = &rules, .through = &through };

	assert_int_equal(target_parse("192.0.2.53:53", &through), 0);
	doctor_ask(&a, shifts, n, wait_ms, &answer);
	return answer;
}

static struct config_server server_of(const struct far *s)
{
	struct config_server server = { .method = s->method };

	memcpy(server.key, s->key, sizeof(s->key));
	return server;
}

static struct ask_answer ask_with(struct far *s, const int64_t *shifts, int n)
{
	struct config_server server = server_of(s);
	struct ask_answer answer;

	far_open(s);
	answer = ask(s, &server, shifts, n, WAIT_MS);
	far_close(s);
	return answer;
}

static const int64_t now[] = { 0 };
/* Between the two readings of the clock time goes on, seconds where the machine is busy. */
#define assert_about(found, wanted) assert_in_range((found) - (wanted) + 10, 2, 11)

static void a_server_that_answers_tells_its_time(void **state)
{
	static const char *const methods[] = { "2022-blake3-aes-128-gcm", "2022-blake3-aes-256-gcm", "2022-blake3-chacha20-poly1305" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (int offset = -20; offset <= 20; offset += 20) {
			struct far s = far_of(methods[i], offset, offset ? ANSWERS : ANSWERS_CONNECT);
			struct ask_answer a = ask_with(&s, now, 1);

			assert_true(a.heard && a.has_time);
			assert_about(a.ahead_s, offset);
			assert_int_equal(a.shift_s, 0);
		}
	}
}

static void the_time_that_a_server_takes_is_found(void **state)
{
	static const int64_t shifts[ASK_AT_ONCE] = { 50, -50, 300, -300, 3600, -3600, 7200, -7200 };
	struct far s = far_of("2022-blake3-aes-256-gcm", -3590, ANSWERS);
	struct ask_answer a = ask_with(&s, now, 1);

	(void)state;
	assert_false(a.heard);
	a = ask_with(&s, shifts, ASK_AT_ONCE);
	assert_true(a.heard && a.has_time);
	assert_about(a.ahead_s, -3590);
	assert_int_equal(a.shift_s, -3600);
	s.offset = 600;
	assert_false(ask_with(&s, shifts, ASK_AT_ONCE).heard);
}

static void the_first_generation_proves_the_key_alone(void **state)
{
	static const char *const methods[] = { "aes-256-gcm", "chacha20-ietf-poly1305", "xchacha20-ietf-poly1305" };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct far s = far_of(methods[i], 99999, ANSWERS);
		struct ask_answer a = ask_with(&s, now, 1);

		assert_true(a.heard);
		assert_false(a.has_time);
	}
}

static void another_key_is_not_heard(void **state)
{
	static const char *const methods[] = { "aes-128-gcm", "2022-blake3-aes-128-gcm" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct far s = far_of(methods[i], 0, ANSWERS);
		struct config_server server = server_of(&s);

		server.key[0] ^= 1;
		far_open(&s);
		assert_false(ask(&s, &server, now, 1, WAIT_MS).heard);
		far_close(&s);
	}
}

static void who_is_one_of_several_users_is_heard(void **state)
{
	struct far s = far_of("2022-blake3-aes-256-gcm", 7, ANSWERS);
	struct config_server server = { .method = s.method, .n_identities = 1 };
	struct ss_users *users = ss_users_new(s.method, s.key);

	(void)state;
	random_bytes(server.key, sizeof(s.key));
	memcpy(server.identity_keys[0], s.key, sizeof(s.key));
	assert_int_equal(ss_users_add(users, "alice", server.key), 0);
	s.users = users;
	far_open(&s);
	assert_about(ask(&s, &server, now, 1, WAIT_MS).ahead_s, 7);
	server.key[0] ^= 1;
	assert_false(ask(&s, &server, now, 1, WAIT_MS).heard);
	far_close(&s);
	ss_users_free(users);
}

static void noise_proves_nothing_and_silence_ends(void **state)
{
	struct far s = far_of("2022-blake3-aes-256-gcm", 0, BABBLES);
	struct config_server server = server_of(&s);
	uint64_t began;

	(void)state;
	assert_false(ask_with(&s, now, 1).heard);
	s.manner = IS_MUTE;
	far_open(&s);
	began = clock_ms();
	assert_false(ask(&s, &server, now, 1, 100).heard);
	assert_true(clock_ms() - began >= 100);
	far_close(&s);
	assert_false(ask(&s, &server, now, 1, WAIT_MS).heard); /* nobody listens any more */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_that_answers_tells_its_time),
		cmocka_unit_test(the_time_that_a_server_takes_is_found),
		cmocka_unit_test(the_first_generation_proves_the_key_alone),
		cmocka_unit_test(another_key_is_not_heard),
		cmocka_unit_test(who_is_one_of_several_users_is_heard),
		cmocka_unit_test(noise_proves_nothing_and_silence_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

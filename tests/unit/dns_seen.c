/* dns/seen: which name an address was asked for by, among processes, for an hour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/seen.h"

static struct addr numbered(uint32_t n)
{
	uint8_t ip[4] = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	return addr_v4(ip, 443);
}

static void note(struct dns_seen *s, struct addr a, const char *name, uint64_t now)
{
	dns_seen_note(s, &a, name, strlen(name), now);
}

static const char *found(const struct dns_seen *s, struct addr a, uint64_t now)
{
	static struct target t;

	if (!dns_seen_find(s, &a, now, &t))
		return "";
	assert_int_equal(t.ip.port, a.port);
	assert_int_equal(t.ip.family, 0);
	assert_int_equal(strlen(t.name), t.name_len);
	return t.name;
}

static void the_latest_name_is_told_for_an_hour(void **state)
{
	struct dns_seen *s = dns_seen_new(false);
	struct addr six, port = numbered(1);

	(void)state;
	addr_parse_ip("2001:db8::1", 443, &six);
	assert_string_equal(found(s, numbered(1), 5), "");
	note(s, numbered(1), "a.example", 5);
	note(s, six, "six.example", 5);
	assert_string_equal(found(s, numbered(1), 5), "a.example");
	assert_string_equal(found(s, six, 5), "six.example");
	port.port = 80;
	assert_string_equal(found(s, port, 5), "a.example");
	note(s, numbered(1), "b.example", 6);
	assert_string_equal(found(s, numbered(1), DNS_SEEN_MS + 5), "b.example");
	assert_string_equal(found(s, numbered(1), DNS_SEEN_MS + 6), "");
	assert_string_equal(found(s, numbered(2), 6), "");
	note(s, numbered(3), "", 6);
	assert_string_equal(found(s, numbered(3), 6), "");
	dns_seen_free(s);
}

/* However many come, what is told is right, and the latest are there. */
static void it_holds_a_fixed_number(void **state)
{
	struct dns_seen *s = dns_seen_new(false);
	char name[32];
	unsigned kept = 0;

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		note(s, numbered(i), name, i);
		assert_string_equal(found(s, numbered(i), i), name);
	}
	for (unsigned i = 0; i < 100000; i++) {
		const char *is = found(s, numbered(i), 100000);

		snprintf(name, sizeof(name), "n%u.example", i);
		kept += *is != 0;
		assert_true(!*is || !strcmp(is, name));
	}
	assert_in_range(kept, 6000, 8192);
	dns_seen_free(s);
}

/* Two addresses of which each has names of its own kind: never the other's, and never half of one. */
static void churn(struct dns_seen *s, unsigned seed)
{
	char name[64];

	for (unsigned i = 0; i < 20000; i++) {
		unsigned n = (i + seed) % 64;

		snprintf(name, sizeof(name), "n%u.%.*s.example", n, (int)(i % 20), "xxxxxxxxxxxxxxxxxxxx");
		note(s, numbered(n), name, 1);
	}
}

static void processes_share_it_without_a_lock(void **state)
{
	struct dns_seen *s = dns_seen_new(true);
	pid_t pids[2];
	int status, live = 2;

	(void)state;
	for (unsigned w = 0; w < 2; w++) {
		pids[w] = fork();
		if (pids[w] == 0) {
			churn(s, w * 13);
			_exit(0);
		}
	}
	while (live) {
		for (unsigned n = 0; n < 64; n++) {
			const char *is = found(s, numbered(n), 1);
			char head[16];

			snprintf(head, sizeof(head), "n%u.", n);
			assert_true(!*is || (!strncmp(is, head, strlen(head)) && !strcmp(is + strlen(is) - 8, ".example")));
		}
		live -= waitpid(pids[2 - live], &status, WNOHANG) > 0;
	}
	assert_true(*found(s, numbered(7), 1) != 0);
	dns_seen_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_latest_name_is_told_for_an_hour),
		cmocka_unit_test(it_holds_a_fixed_number),
		cmocka_unit_test(processes_share_it_without_a_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

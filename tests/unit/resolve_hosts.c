/* resolve/hosts: the format, its errors with file and line, and following the file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolve/hosts.h"

static char path[] = "/tmp/gatun-hosts-XXXXXX";

static void write_file(const char *text)
{
	char fresh[64];
	FILE *f;

	snprintf(fresh, sizeof(fresh), "%s.new", path);
	f = fopen(fresh, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(rename(fresh, path), 0);
}

static int has(struct hosts *h, const char *name, uint64_t now)
{
	struct resolved r;

	return hosts_lookup(h, name, strlen(name), now, &r) ? r.n : -1;
}

static void reads_the_format(void **state)
{
	struct hosts h;
	char err[256] = "";
	struct resolved r;

	(void)state;
	write_file("# a comment\n\n 192.0.2.1\tWeb.Demo www  # more\n2001:db8::1 web.demo.\n192.0.2.2 web.demo\n"
		   "192.0.2.1 web.demo\nfe80::1%lo0 zone\n192.0.2.9 last");
	hosts_init(&h, path, true);
	assert_int_equal(hosts_load(&h, err, sizeof(err)), 0);
	assert_true(hosts_lookup(&h, "web.demo", 8, 1, &r));
	assert_int_equal(r.n, 3);
	assert_int_equal(r.addrs[0].ip.bytes[3], 1);
	assert_int_equal(r.addrs[1].family, AF_INET6);
	assert_int_equal(r.addrs[2].ip.bytes[3], 2);
	assert_int_equal(has(&h, "www", 1), 1);
	assert_int_equal(has(&h, "last", 1), 1);
	assert_int_equal(has(&h, "zone", 1), -1);
	assert_int_equal(has(&h, "ww", 1), -1);
	hosts_free(&h);
}

static void names_file_and_line_of_an_error(void **state)
{
	static const char *const bad[] = { "192.0.2.1 a\n192.0.2.300 b\n", "192.0.2.1 a\n\t192.0.2.1\n",
					   "192.0.2.1 a\nname 192.0.2.1\n", "192.0.2.1 a\n192.0.2.1 .\n" };
	struct hosts h;
	char err[256], want[64];

	(void)state;
	snprintf(want, sizeof(want), "%s:2: ", path);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(bad[i]);
		hosts_init(&h, path, true);
		err[0] = 0;
		assert_int_equal(hosts_load(&h, err, sizeof(err)), -EINVAL);
		assert_ptr_equal(strstr(err, want), err);
		hosts_free(&h);
		/* /etc/hosts belongs to others: its good lines count. */
		hosts_init(&h, path, false);
		assert_int_equal(hosts_load(&h, err, sizeof(err)), 0);
		assert_int_equal(has(&h, "a", 1), 1);
		hosts_free(&h);
	}
	hosts_init(&h, "/nonexistent/hosts", true);
	assert_int_equal(hosts_load(&h, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/hosts"));
}

static void follows_the_file(void **state)
{
	struct hosts h;

	(void)state;
	write_file("192.0.2.1 a\n");
	hosts_init(&h, path, true);
	assert_int_equal(has(&h, "a", 1000), 1); /* the first look-up loads it */
	write_file("192.0.2.1 b\n192.0.2.2 b\n");
	assert_int_equal(has(&h, "b", 1500), -1); /* not more than once a second */
	assert_int_equal(has(&h, "b", 2000), 2);
	assert_int_equal(has(&h, "a", 2000), -1);
	write_file("broken\n");
	assert_int_equal(has(&h, "b", 4000), 2); /* an error keeps the old */
	unlink(path);
	assert_int_equal(has(&h, "b", 6000), 2); /* so does a missing file */
	write_file("192.0.2.1 c\n");
	assert_int_equal(has(&h, "c", 8000), 1);
	hosts_free(&h);
}

static int cleanup(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_format),
		cmocka_unit_test(names_file_and_line_of_an_error),
		cmocka_unit_test(follows_the_file),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	return cmocka_run_group_tests(tests, NULL, cleanup);
}

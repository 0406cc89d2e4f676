/* Control sockets in the file system: whole or not there, never in another's place, found while they live. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/socket.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][200];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/gatun-unit.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir); /* fails if a test left something */
}

static bool connects(const char *path)
{
	int fd = ctl_socket_connect(path);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void a_socket_comes_and_goes(void **state)
{
	struct ctl_socket s;
	mode_t mask = umask(0);

	(void)state;
	assert_int_equal(ctl_socket_open(&s, in_dir("a")), 0);
	assert_int_equal(umask(mask), 0); /* as it was */
	assert_string_equal(s.path, in_dir("a"));
	assert_int_equal(mode_of(s.path), 0600);
	assert_true(connects(s.path));
	ctl_socket_close(&s);
	assert_int_equal(access(in_dir("a"), F_OK), -1);
	ctl_socket_close(&s); /* once more is nothing */
}

static void a_living_one_is_not_replaced(void **state)
{
	struct ctl_socket first, second;

	(void)state;
	assert_int_equal(ctl_socket_open(&first, in_dir("a")), 0);
	assert_int_equal(ctl_socket_open(&second, in_dir("a")), -EADDRINUSE);
	assert_true(connects(in_dir("a")));
	ctl_socket_close(&second); /* was never open */
	assert_true(connects(in_dir("a")));
	ctl_socket_close(&first);
}

static void a_stale_one_is(void **state)
{
	struct ctl_socket first, second;

	(void)state;
	assert_int_equal(ctl_socket_open(&first, in_dir("a")), 0);
	close(first.fd); /* killed */
	assert_int_equal(ctl_socket_connect(in_dir("a")), -ECONNREFUSED);
	assert_int_equal(ctl_socket_open(&second, in_dir("a")), 0);
	assert_true(connects(in_dir("a")));
	/* The file is not the first's any more. */
	first.fd = open("/dev/null", O_RDONLY);
	ctl_socket_close(&first);
	assert_true(connects(in_dir("a")));
	ctl_socket_close(&second);
}

static void what_is_no_socket_stays(void **state)
{
	struct ctl_socket s;
	int fd = open(in_dir("file"), O_CREAT | O_WRONLY, 0600);

	(void)state;
	assert_int_equal(write(fd, "precious", 8), 8);
	close(fd);
	assert_int_equal(symlink("/nowhere", in_dir("link")), 0);
	assert_int_equal(ctl_socket_open(&s, in_dir("file")), -EADDRINUSE);
	assert_int_equal(ctl_socket_open(&s, in_dir("link")), -EADDRINUSE);
	assert_int_equal(ctl_socket_open(&s, dir), -EADDRINUSE);
	assert_int_equal(unlink(in_dir("file")), 0);
	assert_int_equal(unlink(in_dir("link")), 0);
}

static void paths_have_an_end(void **state)
{
	char path[300];
	struct ctl_socket s;

	(void)state;
	snprintf(path, sizeof(path), "%s/%0*d", dir, (int)(CTL_PATH_MAX - 2 - strlen(dir)), 0);
	assert_int_equal(strlen(path), CTL_PATH_MAX - 1);
	assert_int_equal(ctl_socket_open(&s, path), 0);
	assert_true(connects(path));
	ctl_socket_close(&s);
	strcat(path, "0");
	assert_int_equal(ctl_socket_open(&s, path), -ENAMETOOLONG);
	assert_int_equal(ctl_socket_connect(path), -ENAMETOOLONG);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	assert_int_equal(ctl_socket_open(&s, path), -ENAMETOOLONG);
	assert_int_equal(ctl_socket_open(&s, in_dir("none/a")), -ENOENT);
}

static void relative_paths_will_do(void **state)
{
	struct ctl_socket s;
	int here = open(".", O_RDONLY | O_DIRECTORY);

	(void)state;
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(ctl_socket_open(&s, "a"), 0);
	assert_true(connects("a"));
	ctl_socket_close(&s);
	assert_int_equal(access("a", F_OK), -1);
	assert_int_equal(fchdir(here), 0);
	close(here);
}

static void look_for(void *owner, const char *path)
{
	if (strcmp(path, ((struct ctl_socket *)owner)->path) == 0)
		((struct ctl_socket *)owner)->ino = 0;
}

/* In the user's own place, where others of his may be as well. */
static void it_is_found_without_a_path(void **state)
{
	struct ctl_socket s, seen;

	(void)state;
	setenv("XDG_RUNTIME_DIR", dir, 1);
	assert_int_equal(ctl_socket_open(&s, NULL), 0);
	assert_int_equal(mode_of(s.path), 0600);
	seen = s;
	assert_true(ctl_socket_find(look_for, &seen) >= 1);
	assert_int_equal(seen.ino, 0);
	close(s.fd); /* killed: passed over, and removed */
	s.fd = open("/dev/null", O_RDONLY);
	seen = s;
	ctl_socket_find(look_for, &seen);
	assert_int_not_equal(seen.ino, 0);
	assert_int_equal(access(s.path, F_OK), -1);
	ctl_socket_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_socket_comes_and_goes, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_living_one_is_not_replaced, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_stale_one_is, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(what_is_no_socket_stays, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(paths_have_an_end, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(relative_paths_will_do, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(it_is_found_without_a_path, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

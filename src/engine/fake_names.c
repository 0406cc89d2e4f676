/*
 * Where the map is. A file that the config names must be usable, or nothing
 * starts: whoever wrote it relies on it. The usual one is taken if it can be:
 * a second gatun of this machine (in another network namespace) finds it in
 * use, and has its names in memory.
 */
#include "engine/fake_names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "resolve/system.h"
#include "sys/state_dir.h"

#define FILE_NAME "fake-names"
#define DEFAULT_DIRECTORY "/var/lib/gatun"
#define PATH_SIZE 4096
#define PATH_SHOWN 256

static struct fakeip *map;
static struct dns_seen *seen;

static void say_found(const struct fakeip *f, const char *shown, enum fakeip_found found)
{
	switch (found) {
	case FAKEIP_KEPT:
		log_info("fake addresses of before are known again file=%s names=%u", shown, fakeip_count(f));
		break;
	case FAKEIP_DAMAGED:
		log_warn("the fake addresses in %s cannot be read any more: the file is begun anew", shown);
		break;
	case FAKEIP_OTHER_RANGE:
		log_warn("the fake addresses in %s are of another range: the file is begun anew", shown);
		break;
	case FAKEIP_FOREIGN:
		log_warn("%s was no file of gatun's: it is %s.old now", shown, shown);
		break;
	case FAKEIP_FRESH:
		break;
	}
}

static struct fakeip *in_file(const struct fakeip_options *o, const char *path, int *err)
{
	char shown[PATH_SHOWN];
	enum fakeip_found found;
	struct fakeip *f = fakeip_open(o, path, clock_ms(), &found, err);

	log_escape(path, strlen(path), shown, sizeof(shown));
	if (f)
		say_found(f, shown, found);
	else
		log_warn("cannot keep fake addresses in %s%s err=%s", shown, *err == EBUSY ? ": another gatun has it open" : "", err_name(*err));
	return f;
}

/* sslocal's database is a directory. False: too long. */
static bool path_of(const char *named, char *out)
{
	struct stat st;

	if (stat(named, &st) == 0 && S_ISDIR(st.st_mode))
		return snprintf(out, PATH_SIZE, "%s/" FILE_NAME, named) < PATH_SIZE;
	return snprintf(out, PATH_SIZE, "%s", named) < PATH_SIZE;
}

/* The usual place; false: there is none that we may write in. */
static bool usual_path(char *out)
{
	char directory[PATH_SIZE - sizeof("/" FILE_NAME)];

	if (!sys_state_dir(directory, sizeof(directory))) {
		if (mkdir(DEFAULT_DIRECTORY, 0700) < 0 && errno != EEXIST)
			return false;
		strcpy(directory, DEFAULT_DIRECTORY);
	}
	snprintf(out, PATH_SIZE, "%s/" FILE_NAME, directory);
	return access(directory, W_OK) == 0;
}

static int open_map(const struct config *c, bool keep)
{
	struct fakeip_options o = {
		.net4 = c->fake4.at,
		.len4 = c->fake4.len,
		.net6 = c->fake6.at,
		.len6 = c->fake6.len,
		.keep_s = c->fake_expire,
		.shared = true,
	};
	char path[PATH_SIZE];
	int err = ENAMETOOLONG;

	if (c->fake_file) {
		map = path_of(c->fake_file, path) ? in_file(&o, path, &err) : NULL;
		return map ? 0 : -err;
	}
	if (keep && usual_path(path))
		map = in_file(&o, path, &err);
	if (!map)
		map = fakeip_new(&o);
	return map ? 0 : -ENOMEM;
}

/* What systemd-resolved is told to ask (up_resolved.h). */
static void own_server(void)
{
	uint8_t len;
	struct addr own = fakeip_net4(map, &len);

	resolve_system_set_own(&own);
}

int fake_names_open(const struct config *c, bool keep)
{
	int err = map ? 0 : open_map(c, keep);

	if (!err)
		own_server();
	if (!err && !seen)
		seen = dns_seen_new(true);
	if (!err && seen)
		return 0;
	log_error("names cannot be given fake addresses err=%s", err_name(err ? -err : ENOMEM));
	fake_names_close();
	return err ? err : -ENOMEM;
}

struct fakeip *fake_names_map(void)
{
	return map;
}

struct dns_seen *fake_names_seen(void)
{
	return seen;
}

void fake_names_close(void)
{
	fakeip_free(map);
	dns_seen_free(seen);
	map = NULL;
	seen = NULL;
}

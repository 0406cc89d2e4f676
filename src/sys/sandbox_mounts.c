/*
 * What the command sees of the file system: the host's, but for three things.
 *
 * - /etc/resolv.conf names the gateway. Bound over the file, or over the file
 *   that a link leads to; a link that leads nowhere is covered itself, and
 *   where the file is missing a read-only overlay of /etc supplies it.
 * - The directories of local resolvers that answer over AF_UNIX from outside
 *   the sandbox are covered with empty ones, or names would leave by them. The
 *   directory, not the socket: a daemon that restarts makes a new socket.
 * - /proc is mounted anew, for the new PID namespace.
 *
 * New files come from a tmpfs that lies over /proc for a moment, the one
 * directory that is there on every system and about to be covered anyway.
 * Nothing propagates back: the tree is made a slave first.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "sys/resolv_conf.h"
#include "sys/sandbox_parts.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_CONF_MAX 16384
#define STAGE "/proc"
#define STAGE_CONF STAGE "/etc/resolv.conf"
#define STAGE_RESOLVED STAGE "/resolved"
#define STAGE_EMPTY STAGE "/empty"

/* Linux 5.2; in glibc since 2.36. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif

struct resolv {
	char text[RESOLV_CONF_MAX];
	size_t len;
};

static int make_resolv(const struct addr *gateway, struct resolv *r)
{
	char old[RESOLV_CONF_MAX];
	int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd < 0 ? 0 : read(fd, old, sizeof(old));

	if (fd >= 0)
		close(fd);
	r->len = sys_resolv_conf_make(old, len > 0 ? (size_t)len : 0, gateway, r->text, sizeof(r->text));
	return r->len ? 0 : -EINVAL;
}

static int write_resolv(const char *path, const struct resolv *r)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), err = 0;

	if (fd < 0)
		return -errno;
	if (fchmod(fd, 0644) < 0 || write(fd, r->text, r->len) != (ssize_t)r->len)
		err = -EIO;
	close(fd);
	return err;
}

/* A directory that everybody may read whatever the umask. */
static int make_dir(const char *path)
{
	return mkdir(path, 0755) < 0 || chmod(path, 0755) < 0 ? -errno : 0;
}

/* ---- names ---- */

/* Covers the link itself, not what it would lead to. */
static int cover_link(void)
{
	int tree = (int)syscall(SYS_open_tree, AT_FDCWD, STAGE_CONF, OPEN_TREE_CLONE | O_CLOEXEC), err = 0;

	if (tree < 0)
		return -errno;
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, RESOLV_CONF, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		err = -errno;
	close(tree);
	return err;
}

static int overlay_etc(void)
{
	return mount("overlay", "/etc", "overlay", MS_RDONLY, "lowerdir=" STAGE "/etc:/etc") < 0 ? -errno : 0;
}

static int place_resolv(void)
{
	struct stat st;
	int err;

	if (mount(STAGE_CONF, RESOLV_CONF, NULL, MS_BIND, NULL) == 0)
		return 0;
	err = -errno;
	if (err != -ENOENT && err != -ELOOP)
		return err;
	if (lstat(RESOLV_CONF, &st) == 0 && S_ISLNK(st.st_mode) && cover_link() == 0)
		return 0;
	return overlay_etc();
}

/* 0 also where the directory does not exist: then nobody answers there. */
static int cover_dir(const char *dir, const char *with)
{
	if (mount(with, dir, NULL, MS_BIND, NULL) == 0 || errno == ENOENT || errno == ENOTDIR)
		return 0;
	return -errno;
}

/* nss-resolve, nscd (and nsncd) and avahi: all of them answer names by their own network. */
static int cover_resolvers(bool dns)
{
	static const char *const empty[] = { "/run/nscd", "/var/run/nscd", "/run/avahi-daemon", "/var/run/avahi-daemon" };
	int err = cover_dir("/run/systemd/resolve", dns ? STAGE_RESOLVED : STAGE_EMPTY);

	for (size_t i = 0; !err && i < sizeof(empty) / sizeof(empty[0]); i++)
		err = cover_dir(empty[i], STAGE_EMPTY);
	return err;
}

static int stage_resolv(const struct sandbox_options *o)
{
	struct resolv r;
	int err = make_resolv(&o->gateway4, &r);

	if (!err)
		err = mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0 ? -errno : 0;
	if (!err)
		err = make_dir(STAGE_EMPTY);
	if (!err)
		err = make_dir(STAGE_RESOLVED);
	if (!err)
		err = make_dir(STAGE "/etc");
	if (!err)
		err = write_resolv(STAGE_CONF, &r);
	if (!err)
		err = write_resolv(STAGE_RESOLVED "/stub-resolv.conf", &r);
	return err ? err : write_resolv(STAGE_RESOLVED "/resolv.conf", &r);
}

static int set_names(const struct sandbox_options *o)
{
	int err = stage_resolv(o);

	if (err)
		return err;
	err = cover_resolvers(o->dns);
	if (!err && o->dns) {
		int placed = place_resolv();
		if (placed)
			log_warn("cannot put a resolv.conf at %s, the command may not resolve names err=%s", RESOLV_CONF,
				 err_name(placed));
	}
	umount2(STAGE, MNT_DETACH);
	return err;
}

/* ---- all ---- */

static void mount_proc(void)
{
	/* Some containers cover parts of /proc and refuse a fresh one. The old one
	 * shows the host's processes, by the host's numbers; it opens none of them. */
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		log_warn("cannot mount /proc anew, the command sees the host's err=%s", err_name(errno));
}

int sandbox_set_mounts(const struct sandbox_options *o, char *text, size_t size)
{
	int err = mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;

	if (!err)
		err = set_names(o);
	if (err) {
		sandbox_explain_denied(err, "set up the mounts", text, size);
		return err;
	}
	mount_proc();
	return 0;
}

/*
 * Becoming another user; see user.h. The kernel takes three things from who
 * changes his credentials: his capabilities, unless asked not to; the signal that
 * comes when the parent dies; and the dumpable flag, which it sets as a sysctl
 * says. All three are put back as they were.
 */
#include "sys/user.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct passwd *look_up(const char *name)
{
	const struct passwd *p = getpwnam(name);
	unsigned long uid;
	char *end;

	if (p || *name < '0' || *name > '9')
		return p;
	errno = 0;
	uid = strtoul(name, &end, 10);
	return !*end && !errno && uid < UINT_MAX ? getpwuid((uid_t)uid) : NULL;
}

int sys_user_find(const char *name, struct sys_user *u)
{
	const struct passwd *p = look_up(name);

	if (!p || (size_t)snprintf(u->name, sizeof(u->name), "%s", p->pw_name) >= sizeof(u->name))
		return -ENOENT;
	snprintf(u->home, sizeof(u->home), "%s", p->pw_dir);
	u->uid = p->pw_uid;
	u->gid = p->pw_gid;
	return 0;
}

static int change(const struct sys_user *u)
{
	int err = 0;

	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (initgroups(u->name, u->gid) < 0 || setresgid(u->gid, u->gid, u->gid) < 0 || setresuid(u->uid, u->uid, u->uid) < 0)
		err = -errno;
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	return err;
}

/* All that is permitted becomes effective again. */
static int restore_effective(void)
{
	cap_t sets = cap_get_proc();
	int err = sets ? 0 : -ENOMEM;

	for (cap_value_t c = 0; !err && c <= CAP_LAST_CAP; c++) {
		cap_flag_value_t permitted = CAP_CLEAR;

		if (cap_get_flag(sets, c, CAP_PERMITTED, &permitted) == 0)
			cap_set_flag(sets, CAP_EFFECTIVE, 1, &c, permitted);
	}
	if (!err && cap_set_proc(sets) < 0)
		err = -errno;
	cap_free(sets);
	return err;
}

static void restore_bond(int sig, pid_t parent)
{
	if (!sig)
		return;
	prctl(PR_SET_PDEATHSIG, sig, 0, 0, 0);
	if (getppid() != parent)
		raise(sig); /* it died meanwhile */
}

static void tell_environment(const struct sys_user *u)
{
	setenv("HOME", u->home, 1);
	setenv("USER", u->name, 1);
	setenv("LOGNAME", u->name, 1);
	unsetenv("XDG_RUNTIME_DIR"); /* of the user that we were */
	unsetenv("XDG_STATE_HOME");
}

int sys_user_become(const struct sys_user *u)
{
	pid_t parent = getppid();
	int sig = 0, dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), err;

	if (geteuid() == u->uid && getuid() == u->uid && getegid() == u->gid)
		return 0;
	prctl(PR_GET_PDEATHSIG, &sig, 0, 0, 0);
	err = change(u);
	if (!err)
		err = restore_effective();
	if (err)
		return err;
	if (dumpable >= 0)
		prctl(PR_SET_DUMPABLE, dumpable == 1, 0, 0, 0);
	restore_bond(sig, parent);
	tell_environment(u);
	return 0;
}

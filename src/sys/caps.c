/*
 * Capability sets, by libcap. Two ways to drop them: for the engine, which
 * never needs one again, and for the command of a sandbox, whose programs must
 * start as they do outside. Both leave the effective set empty; they differ in
 * what a later exec may bring back.
 */
#include "sys/caps.h"

#include <errno.h>
#include <linux/securebits.h>
#include <sys/capability.h>
#include <sys/prctl.h>

/* The permitted, effective, inheritable and ambient sets, but for `keep` (or
 * -1) in the first two. */
static int clear_sets_but(cap_value_t keep)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -ENOMEM;
	if (keep >= 0) {
		cap_set_flag(none, CAP_PERMITTED, 1, &keep, CAP_SET);
		cap_set_flag(none, CAP_EFFECTIVE, 1, &keep, CAP_SET);
	}
	/* Kernels before 4.3 have no ambient set; then there is none to clear. */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (cap_set_proc(none) < 0)
		err = -errno;
	cap_free(none);
	return err;
}

/* Needs CAP_SETPCAP: a plain user's bounding set stays, and does no harm under
 * no_new_privs. */
static void clear_bounding(void)
{
	for (cap_value_t c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
		prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
}

static int drop_but(cap_value_t keep)
{
	clear_bounding();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return clear_sets_but(keep);
}

int sys_caps_drop_all(void)
{
	return drop_but(-1);
}

int sys_caps_drop_but_marks(void)
{
	return drop_but(CAP_NET_RAW);
}

int sys_caps_drop_for_command(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return -errno;
	return clear_sets_but(-1);
}

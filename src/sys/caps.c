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

/* The permitted, effective, inheritable and ambient sets. */
static int clear_sets(void)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -ENOMEM;
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

int sys_caps_drop_all(void)
{
	clear_bounding();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return clear_sets();
}

int sys_caps_drop_for_command(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return -errno;
	return clear_sets();
}

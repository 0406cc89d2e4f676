/*
 * Capability sets, by libcap. Two ways to drop them: for the engine, which
 * never needs one again, and for the command of a sandbox, whose programs must
 * start as they do outside. Both leave the effective set empty; they differ in
 * what a later exec may bring back.
 */
#include "sys/caps.h"

#include <errno.h>
#include <linux/securebits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>
#include <sys/prctl.h>

static bool is_ours(cap_value_t c)
{
	cap_t sets = cap_get_proc();
	cap_flag_value_t ours = CAP_CLEAR;

	if (!sets)
		return false;
	cap_get_flag(sets, c, CAP_PERMITTED, &ours);
	cap_free(sets);
	return ours == CAP_SET;
}

static void keep_in(cap_t sets, cap_value_t c)
{
	if (c < 0 || !is_ours(c))
		return;
	cap_set_flag(sets, CAP_PERMITTED, 1, &c, CAP_SET);
	cap_set_flag(sets, CAP_EFFECTIVE, 1, &c, CAP_SET);
}

bool sys_caps_has_net_admin(void)
{
	cap_t sets = cap_get_proc();
	cap_flag_value_t has = CAP_CLEAR;

	if (!sets)
		return false;
	cap_get_flag(sets, CAP_NET_ADMIN, CAP_EFFECTIVE, &has);
	cap_free(sets);
	return has == CAP_SET;
}

/* The permitted, effective and inheritable sets, but for the n of `keep` in the first
 * two and `pass_on` in all, where we have them (or -1); the ambient set, but for
 * what is left in both permitted and inheritable. */
static int clear_sets_but(const cap_value_t *keep, int n, cap_value_t pass_on)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -ENOMEM;
	for (int i = 0; i < n; i++)
		keep_in(none, keep[i]);
	keep_in(none, pass_on);
	if (pass_on >= 0 && is_ours(pass_on))
		cap_set_flag(none, CAP_INHERITABLE, 1, &pass_on, CAP_SET);
	/* Kernels before 4.3 have no ambient set; then there is none to clear. */
	if (pass_on < 0)
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

static int drop_but(const cap_value_t *keep, int n, cap_value_t pass_on)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return clear_sets_but(keep, n, pass_on);
}

int sys_caps_drop_all(void)
{
	clear_bounding();
	return drop_but(NULL, 0, -1);
}

int sys_caps_drop_but_marks(void)
{
	static const cap_value_t keep[] = { CAP_NET_RAW };

	clear_bounding();
	return drop_but(keep, 1, -1);
}

int sys_caps_drop_but_answers(void)
{
	static const cap_value_t keep[] = { CAP_NET_RAW, CAP_NET_BIND_SERVICE };

	clear_bounding();
	return drop_but(keep, 2, -1);
}

int sys_caps_drop_but_gate(bool helpers, bool any_files)
{
	static const cap_value_t keep[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_NET_BIND_SERVICE, CAP_DAC_OVERRIDE };

	if (!helpers)
		clear_bounding();
	return drop_but(keep, any_files ? 4 : 3, -1);
}

/* Into the inheritable and the ambient set: the only way past an exec under
 * no_new_privs. While the bounding set still holds it, or never. */
static int raise_ambient(cap_value_t c)
{
	cap_t sets = cap_get_proc();
	int err = 0;

	if (!sets)
		return -ENOMEM;
	cap_set_flag(sets, CAP_INHERITABLE, 1, &c, CAP_SET);
	if (cap_set_proc(sets) < 0 || prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
		err = -errno;
	cap_free(sets);
	return err;
}

int sys_caps_drop_with_helpers(bool marks, bool low_ports)
{
	static const cap_value_t keep[] = { CAP_NET_RAW };
	int err = low_ports && is_ours(CAP_NET_BIND_SERVICE) ? raise_ambient(CAP_NET_BIND_SERVICE) : 0;

	return err ? err : drop_but(keep, marks, low_ports ? CAP_NET_BIND_SERVICE : -1);
}

int sys_caps_drop_for_command(void)
{
	const unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
				   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0)
		return -errno;
	return clear_sets_but(NULL, 0, -1);
}

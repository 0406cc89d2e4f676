/*
 * The few sysctls without which the rules would not do what they say. Each is
 * looked at first and written only where it differs; what it was stands in the
 * state file before the write. All are of one interface where the kernel has
 * such a knob.
 *
 *   src_valid_mark      on links with strict rp_filter, and on all for TPROXY and
 *                       REDIRECT: the question "would an answer leave by here?" is
 *                       asked with the packet's mark, which the nft rules took from
 *                       its connection; without it, asked of our tables, the answer
 *                       is the TUN, or that every source is our own address
 *   forwarding          of the LANs and the TUN. IPv4 asks the interface that a packet
 *                       came by. IPv6 has force_forwarding of one interface since
 *                       Linux 6.17; before, forwarding is all or nothing, and a
 *                       forwarding link hears router advertisements only with accept_ra 2
 *   fwmark_reflect,     what the kernel itself answers (echo, RST, SYN-ACK) has the mark of
 *   tcp_fwmark_accept   what it answers: where unmarked packets of that kind have no way
 *                       at all, they must have it before the nft rules see them
 *
 * Of our own device nothing is kept: it takes its knobs with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/err.h"
#include "base/log.h"
#include "gate/parts.h"
#include "sys/kernel_file.h"

#define ROOT "/proc/sys/"
#define PATH_LEN (sizeof(ROOT) + sizeof(((struct sysctl *)0)->path))

bool gate_sysctl_read(const char *path, char *text, size_t size)
{
	char full[PATH_LEN];

	snprintf(full, sizeof(full), ROOT "%s", path);
	return kernel_file_read(full, text, size) >= 0;
}

static int write_one(const char *path, const char *text)
{
	char full[PATH_LEN];

	snprintf(full, sizeof(full), ROOT "%s", path);
	return kernel_file_write(full, text);
}

static struct sysctl *find(const struct sysctl_list *l, const char *path)
{
	for (int i = 0; i < l->n; i++)
		if (strcmp(l->at[i].path, path) == 0)
			return &l->at[i];
	return NULL;
}

static void add(struct sysctl_list *l, const char *path, const char *old, const char *set)
{
	if (array_reserve(&l->at, &l->room, (size_t)l->n + 1, sizeof(*l->at)) < 0) {
		l->no_memory = true;
		return;
	}
	snprintf(l->at[l->n].path, sizeof(l->at[0].path), "%s", path);
	snprintf(l->at[l->n].old, sizeof(l->at[0].old), "%s", old);
	snprintf(l->at[l->n++].set, sizeof(l->at[0].set), "%s", set);
}

void gate_sysctls_put(struct sysctl_list *l, const char *path, const char *set)
{
	struct sysctl *known = find(l, path);
	char now[sizeof(known->old)];

	if (!gate_sysctl_read(path, now, sizeof(now)))
		return;
	if (known)
		snprintf(known->set, sizeof(known->set), "%s", set);
	else if (strcmp(now, set) != 0)
		add(l, path, now, set);
}

/* Not to be written, but another write will change it. */
static void remember(struct sysctl_list *l, const char *path)
{
	char now[sizeof(((struct sysctl *)0)->old)];

	if (!find(l, path) && gate_sysctl_read(path, now, sizeof(now)))
		add(l, path, now, "");
}

static void put_of(struct sysctl_list *l, const char *family, const char *name, const char *knob, const char *set)
{
	char path[sizeof(((struct sysctl *)0)->path)];

	snprintf(path, sizeof(path), "net/%s/conf/%s/%s", family, name, knob);
	gate_sysctls_put(l, path, set);
}

static int number_of(const char *family, const char *name, const char *knob)
{
	char path[sizeof(((struct sysctl *)0)->path)], text[32];

	snprintf(path, sizeof(path), "net/%s/conf/%s/%s", family, name, knob);
	return gate_sysctl_read(path, text, sizeof(text)) ? atoi(text) : -1;
}

/* --- sources of what comes in --- */

static bool is_strict(const char *name)
{
	int all = number_of("ipv4", "all", "rp_filter"), own = number_of("ipv4", name, "rp_filter");

	return (all > own ? all : own) == 1;
}

static void want_source_marks(const struct gate_plan *p, const char *name, struct sysctl_list *l)
{
	if (number_of("ipv4", "all", "src_valid_mark") == 1)
		return;
	if (p->mode != GATE_TUN || is_strict(name))
		put_of(l, "ipv4", name, "src_valid_mark", "1");
}

/* --- forwarding --- */

static bool is_lan(const struct gate_plan *p, const char *name)
{
	for (int i = 0; i < p->n_lans; i++)
		if (strcmp(p->lans[i], name) == 0)
			return true;
	return false;
}

static void each_link(const struct gate_plan *p, void (*act)(const struct gate_plan *, const char *, struct sysctl_list *),
		      struct sysctl_list *l)
{
	struct if_nameindex *all = if_nameindex();

	for (int i = 0; all && all[i].if_index; i++)
		if (strcmp(all[i].if_name, "lo") != 0 && strcmp(all[i].if_name, p->device) != 0)
			act(p, all[i].if_name, l);
	if (all)
		if_freenameindex(all);
}

static void keep_hearing_routers(const struct gate_plan *p, const char *name, struct sysctl_list *l)
{
	if (!is_lan(p, name) && number_of("ipv6", name, "accept_ra") == 1 && number_of("ipv6", name, "forwarding") == 0)
		put_of(l, "ipv6", name, "accept_ra", "2");
}

static void remember_forwarding(const struct gate_plan *p, const char *name, struct sysctl_list *l)
{
	char path[sizeof(l->at[0].path)];

	(void)p;
	snprintf(path, sizeof(path), "net/ipv6/conf/%s/forwarding", name);
	remember(l, path);
}

static bool forwards_by_interface(void)
{
	return number_of("ipv6", "all", "force_forwarding") >= 0;
}

static void forward_all6(const struct gate_plan *p, struct sysctl_list *l)
{
	if (number_of("ipv6", "all", "forwarding") == 1 && !find(l, "net/ipv6/conf/all/forwarding"))
		return;
	each_link(p, keep_hearing_routers, l);
	each_link(p, remember_forwarding, l);
	remember(l, "net/ipv6/conf/lo/forwarding");
	remember(l, "net/ipv6/conf/default/forwarding");
	put_of(l, "ipv6", "all", "forwarding", "1");
}

static void want_forwarding(const struct gate_plan *p, struct sysctl_list *l)
{
	bool each = forwards_by_interface();

	for (int i = 0; i < p->n_lans; i++) {
		put_of(l, "ipv4", p->lans[i], "forwarding", "1");
		if (each && number_of("ipv6", "all", "forwarding") != 1)
			put_of(l, "ipv6", p->lans[i], "force_forwarding", "1");
	}
	if (!each && p->n_lans)
		forward_all6(p, l);
}

int gate_sysctls_want(const struct gate_plan *p, struct sysctl_list *l)
{
	each_link(p, want_source_marks, l);
	want_forwarding(p, l);
	if (p->mode != GATE_TUN || (!p->ipv6 && gate_kernel_has_ipv6())) {
		gate_sysctls_put(l, "net/ipv4/fwmark_reflect", "1");
		gate_sysctls_put(l, "net/ipv6/fwmark_reflect", "1");
		gate_sysctls_put(l, "net/ipv4/tcp_fwmark_accept", "1");
	}
	return l->no_memory ? -ENOMEM : 0;
}

int gate_sysctls_write(const struct sysctl_list *l, char *err, size_t size)
{
	for (int i = 0; i < l->n; i++) {
		const struct sysctl *s = &l->at[i];
		char now[sizeof(s->old)];
		int result;

		if (!s->set[0] || !gate_sysctl_read(s->path, now, sizeof(now)) || strcmp(now, s->set) == 0)
			continue;
		result = write_one(s->path, s->set);
		if (!result)
			continue;
		snprintf(err, size, "cannot set %s%s to %s err=%s%s", ROOT, s->path, s->set, err_name(result),
			 result == -EROFS ? "; /proc/sys is read-only here: set it from outside, or start the container "
			 "with it (--sysctl)" : "");
		return result;
	}
	return 0;
}

void gate_sysctls_restore(const struct sysctl_list *l)
{
	for (int i = l->n - 1; i >= 0; i--) {
		const struct sysctl *s = &l->at[i];
		char now[sizeof(s->old)];
		int err;

		/* An interface may be gone, and what is not ours any more stays. */
		if (!gate_sysctl_read(s->path, now, sizeof(now)) || strcmp(now, s->old) == 0 ||
		    (s->set[0] && strcmp(now, s->set) != 0))
			continue;
		err = write_one(s->path, s->old);
		if (err)
			log_warn("cannot set %s%s back to %s err=%s", ROOT, s->path, s->old, err_name(err));
	}
}

/* A courtesy, all but the first two: such a link has no router and nobody to find by itself. */
int gate_sysctls_of_device(const struct gate_plan *p, struct sysctl_list *l)
{
	static const char *const knobs[][3] = {
		{ "ipv6", "disable_ipv6", "0" }, { "ipv4", "rp_filter", "2" }, { "ipv6", "addr_gen_mode", "1" },
		{ "ipv6", "accept_ra", "0" }, { "ipv6", "router_solicitations", "0" }, { "ipv4", "src_valid_mark", "1" },
		/* for a LAN alone: else it is as all others are, and on a laptop forwards nothing */
		{ "ipv4", "forwarding", "1" }, { "ipv6", "force_forwarding", "1" },
	};
	const size_t n = sizeof(knobs) / sizeof(knobs[0]) - (p->n_lans ? 0 : 2);
	char path[sizeof(((struct sysctl *)0)->path)], now[32];

	for (size_t i = 0; i < n; i++) {
		if (strcmp(knobs[i][1], "disable_ipv6") == 0 && !p->ipv6)
			continue;
		snprintf(path, sizeof(path), "net/%s/conf/default/%s", knobs[i][0], knobs[i][1]);
		if (!gate_sysctl_read(path, now, sizeof(now))) /* not of this kernel */
			continue;
		snprintf(path, sizeof(path), "net/%s/conf/%s/%s", knobs[i][0], p->device, knobs[i][1]);
		add(l, path, "", knobs[i][2]);
	}
	return l->no_memory ? -ENOMEM : 0;
}

void gate_sysctls_device(const struct gate_plan *p)
{
	struct sysctl_list l = { 0 };

	gate_sysctls_of_device(p, &l);
	for (int i = 0; i < l.n; i++) {
		char now[sizeof(l.at[i].old)];
		int err;
		if (!gate_sysctl_read(l.at[i].path, now, sizeof(now)) || strcmp(now, l.at[i].set) == 0)
			continue;
		err = write_one(l.at[i].path, l.at[i].set);
		if (err)
			log_debug("cannot set %s%s err=%s", ROOT, l.at[i].path, err_name(err));
	}
	free(l.at);
}

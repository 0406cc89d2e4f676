/* Files that hold name servers, the best first; see system.h. */
#include "resolve/system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "sys/resolv_conf.h"

#define FILE_MAX 8192
#define DNS_PORT 53

static const char *const files[] = {
	"/etc/resolv.conf",
	"/run/systemd/resolve/resolv.conf", /* what its stub asks */
	"/run/NetworkManager/no-stub-resolv.conf",
	"/run/dnsmasq/resolv.conf", /* resolvconf(8) */
};
#define FILES (sizeof(files) / sizeof(*files))

static struct addr own;

void resolve_system_set_own(const struct addr *a)
{
	own = *a;
}

static bool is_loopback(const struct addr *a)
{
	return a->family == AF_INET ? a->ip.bytes[0] == 127 : IN6_IS_ADDR_LOOPBACK(&a->ip.v6);
}

static int read_servers(const char *path, struct addr *out)
{
	char text[FILE_MAX];
	struct addr all[RESOLVE_SYSTEM_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), n, kept = 0;
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text));

	if (fd >= 0)
		close(fd);
	n = sys_resolv_conf_servers(text, len > 0 ? (size_t)len : 0, DNS_PORT, all, RESOLVE_SYSTEM_MAX);
	for (int i = 0; i < n; i++)
		if (!is_loopback(&all[i]) && !addr_is_any(&all[i]) && !addr_ip_equal(&all[i], &own))
			out[kept++] = all[i];
	return kept;
}

int resolve_system_servers(struct addr out[RESOLVE_SYSTEM_MAX])
{
	int n = 0;

	for (size_t i = 0; i < FILES && n == 0; i++)
		n = read_servers(files[i], out);
	return n;
}

bool resolve_system_changed(uint64_t *seen)
{
	struct stat all[FILES] = { 0 };
	struct {
		ino_t inode;
		off_t size;
		struct timespec time;
	} what[FILES] = { 0 };
	uint64_t now;

	for (size_t i = 0; i < FILES; i++) {
		if (stat(files[i], &all[i]) < 0)
			continue;
		what[i].inode = all[i].st_ino;
		what[i].size = all[i].st_size;
		what[i].time = all[i].st_mtim;
	}
	now = hash_bytes(what, sizeof(what));
	if (now == *seen)
		return false;
	*seen = now;
	return true;
}

/*
 * Whether a peer lives in our PID namespace is told by the NSpid line of /proc:
 * the numbers that a process has, from the namespace of /proc inward. We see
 * only those in our own namespace and in the ones below it, so a peer with as
 * many numbers as we have is in ours. A pidfd (SO_PEERPIDFD, Linux 6.5) names
 * the process that connected and no other; without one its number does, which
 * could in theory be another's by the time that it is looked up.
 */
#include "sys/peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* How many numbers stand behind "NSpid:"; 0: a kernel without PID namespaces; -errno. */
static int count_numbers(const char *path)
{
	char line[512], *at;
	int n = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		for (at = strtok(line + 6, " \t\n"); at; at = strtok(NULL, " \t\n"), n++)
			if (atol(at) <= 0) /* it has ended */
				n = -ESRCH - 1;
		break;
	}
	fclose(f);
	return n < 0 ? -ESRCH : n;
}

static int count_of_pidfd(int fd)
{
	char path[64];
	int pidfd, n;
	socklen_t len = sizeof(pidfd);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	n = count_numbers(path);
	close(pidfd);
	return n;
}

static int count_of_peer(int fd, pid_t pid)
{
	char path[64];
	int n = count_of_pidfd(fd);

	if (n != -ENOPROTOOPT)
		return n;
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)pid);
	return count_numbers(path);
}

int sys_peer_check(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int ours = count_numbers("/proc/self/status"), theirs;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	if (peer.uid != geteuid() && peer.uid != 0)
		return -EACCES;
	if (peer.pid <= 0) /* of a namespace that we do not see */
		return -EPERM;
	theirs = count_of_peer(fd, peer.pid);
	return ours < 0 || theirs != ours ? -EPERM : 0;
}

/* Who is at the other end of a connected unix socket. */
#ifndef GATUN_SYS_PEER_H
#define GATUN_SYS_PEER_H

/*
 * May the process that connected see and change what this one does? It may when
 * it is of the same user, or root, and lives in the same PID namespace: the
 * command of `gatun run` has our uid and finds our sockets by their path, but
 * it and all it starts live in a PID namespace of their own.
 *
 * 0; -EACCES: another user; -EPERM: another PID namespace, or gone meanwhile;
 * or what the system said.
 */
int sys_peer_check(int fd);

#endif

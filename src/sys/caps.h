/* Capabilities of the engine: none, once its sockets and devices are open. */
#ifndef GATUN_SYS_CAPS_H
#define GATUN_SYS_CAPS_H

#include <stdbool.h>

/* Has this process CAP_NET_ADMIN now? In the user namespace that it is in: the kernel asks in that
 * of the network namespace, and has the last word. */
bool sys_caps_has_net_admin(void);

/*
 * Empties the permitted, effective, inheritable, ambient and (where allowed)
 * bounding sets of this process and sets no_new_privs, so that neither it nor
 * a program that it starts can get one back. For the engine and the server,
 * after everything privileged is open; never for the command of `run`, which
 * has an init that does it differently (sandbox_init.c).
 * Returns 0 or -errno; calling it twice is fine.
 */
int sys_caps_drop_all(void);

/* As above, but keeps CAP_NET_RAW: SO_MARK on later sockets needs it (or
 * CAP_NET_ADMIN, which is worse), and nothing more. */
int sys_caps_drop_but_marks(void);

/* As above, and CAP_NET_BIND_SERVICE: answers in the name of others (TPROXY's UDP) come from
 * any port, and those below 1024 need it. */
int sys_caps_drop_but_answers(void);

/* For the supervisor of `up`: as above, and CAP_NET_ADMIN, by which the gate is followed and
 * taken down; its workers begin with these and drop the last. helpers: as in the next.
 * any_files: CAP_DAC_OVERRIDE too, where what is taken back has left files in another user's directory. */
int sys_caps_drop_but_gate(bool helpers, bool any_files);

/*
 * For a process that starts helpers, and for a helper just before its exec: the
 * bounding set stays, because a program with file capabilities, as Debian's
 * obfs-server, cannot start otherwise (no_new_privs makes them worthless).
 * low_ports: CAP_NET_BIND_SERVICE stays and is passed on to what is started;
 * marks: CAP_NET_RAW stays here. What we do not have is not kept.
 */
int sys_caps_drop_with_helpers(bool marks, bool low_ports);

/*
 * What init does for the command of `run`: the permitted, effective,
 * inheritable and ambient sets go, and a uid of 0 gives none back at exec
 * (SECBIT_NOROOT, locked); the bounding set stays, because a program with
 * file capabilities, as Debian's ping, cannot start otherwise.
 * Returns 0 or -errno.
 */
int sys_caps_drop_for_command(void);

#endif

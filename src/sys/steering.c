/*
 * The steering program; see steering.h.
 *
 * It is a socket filter, written out here instruction by instruction, that the
 * TUN driver asks for each packet (TUNSETSTEERINGEBPF); what it returns, modulo
 * the queues, is the queue. It loads by LD_ABS and LD_IND from SKF_NET_OFF, where
 * the network header stands whatever is in front of it. Such a load past the
 * packet's end ends the program with 0, so no length need be checked: what is cut
 * short comes to queue 0, where the parser says what it thinks of it.
 *
 * steering_queue() below is the same function; tests/unit/sys_steering.c holds
 * the two together on a real device. The hash is that of no secret: an app that
 * wants all its flows on one worker does itself no good.
 */
#include "sys/steering.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/err.h"

#define SEED 0x67617475u
#define MIX 0x9e3779b1u
#define FINISH 0x85ebca6bu

/* ---- in C ---- */

static uint32_t mix(uint32_t h, uint32_t word)
{
	h = (h ^ word) * MIX;
	return h ^ h >> 15;
}

static uint32_t mix_ip(uint32_t h, const struct addr *a)
{
	for (size_t i = 0; i < addr_ip_len(a); i += 4) {
		uint32_t word;

		memcpy(&word, a->ip.bytes + i, 4);
		h = mix(h, ntohl(word));
	}
	return h;
}

uint32_t steering_queue(uint8_t proto, const struct addr *src, const struct addr *dst, uint32_t n)
{
	uint32_t h = mix_ip(SEED, src);

	if (proto == IPPROTO_UDP)
		h = mix(h, src->port);
	else if (proto == IPPROTO_TCP)
		h = mix(mix_ip(h, dst), (uint32_t)src->port << 16 | dst->port);
	else
		return 0;
	h = (h ^ h >> 16) * FINISH;
	return (h ^ h >> 13) % n;
}

/* ---- in the kernel ---- */

#define R0 BPF_REG_0
#define TMP BPF_REG_1
#define CTX BPF_REG_6 /* where LD_ABS and LD_IND want the packet */
#define HASH BPF_REG_7
#define PROTO BPF_REG_8
#define L4 BPF_REG_9 /* offset of the transport header */

#define INSN(opcode, d, s, o, i) \
	{ .code = (opcode), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (int32_t)(i) }
/* 32 bits wide, all of them. */
#define ALU(op, d, imm) INSN(BPF_ALU | (op) | BPF_K, d, 0, 0, imm)
#define ALU_REG(op, d, s) INSN(BPF_ALU | (op) | BPF_X, d, s, 0, 0)
#define LOAD(size, at) INSN(BPF_LD | BPF_ABS | (size), 0, 0, 0, SKF_NET_OFF + (at))
#define LOAD_L4(size) INSN(BPF_LD | BPF_IND | (size), 0, L4, 0, SKF_NET_OFF)
#define IF(op, reg, imm, skip) INSN(BPF_JMP | (op) | BPF_K, reg, 0, skip, imm)
#define SKIP(skip) INSN(BPF_JMP | BPF_JA, 0, 0, skip, 0)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
/* 5 instructions: R0 into the hash, as mix() does. */
#define MIX_R0                                                                                              \
	ALU_REG(BPF_XOR, HASH, R0), ALU(BPF_MUL, HASH, MIX), ALU_REG(BPF_MOV, TMP, HASH), ALU(BPF_RSH, TMP, 15), \
		ALU_REG(BPF_XOR, HASH, TMP)
#define MIX_WORD(at) LOAD(BPF_W, at), MIX_R0 /* 6 */
#define MIX_IP6(at) MIX_WORD(at), MIX_WORD((at) + 4), MIX_WORD((at) + 8), MIX_WORD((at) + 12) /* 24 */
/* 4: past `exit` (2) with TCP or UDP; else queue 0. */
#define ONLY_TCP_UDP IF(BPF_JEQ, PROTO, IPPROTO_TCP, 3), IF(BPF_JEQ, PROTO, IPPROTO_UDP, 2), ALU(BPF_MOV, R0, 0), EXIT

/* Lengths of the parts that are jumped over. */
#define IP4_PART 27
#define IP6_PART 56
#define TCP_PORTS 7

static const struct bpf_insn program[] = {
	INSN(BPF_ALU64 | BPF_MOV | BPF_X, CTX, BPF_REG_1, 0, 0),
	ALU(BPF_MOV, HASH, SEED),
	LOAD(BPF_B, 0),
	ALU_REG(BPF_MOV, L4, R0),
	ALU(BPF_RSH, R0, 4),
	IF(BPF_JEQ, R0, 6, IP4_PART + 3),
	IF(BPF_JEQ, R0, 4, 2),
	ALU(BPF_MOV, R0, 0),
	EXIT,

	/* IPv4: no part of a datagram. */
	LOAD(BPF_H, 6),
	ALU(BPF_AND, R0, 0x3fff),
	IF(BPF_JEQ, R0, 0, 2),
	ALU(BPF_MOV, R0, 0),
	EXIT,
	ALU(BPF_AND, L4, 15),
	ALU(BPF_LSH, L4, 2),
	LOAD(BPF_B, 9),
	ALU_REG(BPF_MOV, PROTO, R0),
	ONLY_TCP_UDP,
	MIX_WORD(12),
	IF(BPF_JEQ, PROTO, IPPROTO_UDP, 7 + IP6_PART + TCP_PORTS),
	MIX_WORD(16),
	SKIP(IP6_PART),

	/* IPv6: no extension headers. */
	ALU(BPF_MOV, L4, 40),
	LOAD(BPF_B, 6),
	ALU_REG(BPF_MOV, PROTO, R0),
	ONLY_TCP_UDP,
	MIX_IP6(8),
	IF(BPF_JEQ, PROTO, IPPROTO_UDP, 24 + TCP_PORTS),
	MIX_IP6(24),

	/* TCP: both ports. */
	LOAD_L4(BPF_W),
	MIX_R0,
	SKIP(6),
	/* UDP: the source's. */
	LOAD_L4(BPF_H),
	MIX_R0,

	ALU_REG(BPF_MOV, R0, HASH),
	ALU(BPF_RSH, R0, 16),
	ALU_REG(BPF_XOR, R0, HASH),
	ALU(BPF_MUL, R0, FINISH),
	ALU_REG(BPF_MOV, TMP, R0),
	ALU(BPF_RSH, TMP, 13),
	ALU_REG(BPF_XOR, R0, TMP),
	EXIT,
};

/* A descriptor of it or -errno. */
static int load(void)
{
	union bpf_attr attr = { 0 };
	long fd;

	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)program;
	attr.insn_cnt = sizeof(program) / sizeof(program[0]);
	attr.license = (uintptr_t)"MIT";
	snprintf(attr.prog_name, sizeof(attr.prog_name), "gatun_steering");
	fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	return (int)fd;
}

static void explain(int err, char *text, size_t size)
{
	snprintf(text, size, "the kernel does not take the program that steers packets to several workers err=%s%s", err_name(err),
		 err == -EPERM ? "; it needs CAP_BPF, or: sudo sysctl kernel.unprivileged_bpf_disabled=0" : "");
}

int steering_attach(int tun_fd, char *text, size_t size)
{
	int fd = load(), err = fd < 0 ? fd : 0;

	if (!err && ioctl(tun_fd, TUNSETSTEERINGEBPF, &fd) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd); /* the device keeps it */
	if (err)
		explain(err, text, size);
	return err;
}

/* A set of keyed 64-bit hashes: two that are equal by chance are rarer than anything else that could be wrong. */
#include "io/own_sockets.h"

#include <string.h>
#include <sys/socket.h>

static struct hash sockets;
static bool tracking;

int own_sockets_track(void)
{
	int err = tracking ? 0 : hash_init(&sockets);

	tracking = !err;
	return err;
}

static uint64_t key_of(int type, const struct addr *self, const struct addr *peer)
{
	uint64_t parts[3] = { (uint64_t)type, addr_hash(self), peer ? addr_hash(peer) : 0 };

	return hash_bytes(parts, sizeof(parts));
}

static struct addr any_of(uint16_t family, uint16_t port)
{
	return (struct addr){ .family = family, .port = port };
}

/* The end that it sends from; port 0: there is none yet, and none could be had. */
static struct addr self_of(int fd, int type)
{
	struct addr self = addr_of_socket(fd);
	struct sockaddr_storage ss;
	socklen_t len;

	if (self.port || type != SOCK_DGRAM || !self.family)
		return self;
	len = addr_to_sockaddr(&self, &ss);
	return bind(fd, (struct sockaddr *)&ss, len) == 0 ? addr_of_socket(fd) : self;
}

void own_socket_add(struct own_socket *o, int type, int fd, const struct addr *peer)
{
	struct addr self;

	if (!tracking)
		return;
	self = self_of(fd, type);
	if (!self.port)
		return;
	o->known = true;
	hash_insert(&sockets, &o->node, key_of(type, &self, type == SOCK_STREAM ? peer : NULL));
}

void own_socket_remove(struct own_socket *o)
{
	if (o->known)
		hash_remove(&sockets, &o->node);
	o->known = false;
}

static bool knows(int type, const struct addr *self, const struct addr *peer)
{
	return hash_first(&sockets, key_of(type, self, peer)) != NULL;
}

bool own_sockets_know(int type, const struct addr *self, const struct addr *peer)
{
	struct addr any4 = any_of(AF_INET, self->port), any6 = any_of(AF_INET6, self->port);

	if (!tracking)
		return false;
	if (type == SOCK_STREAM)
		return knows(type, self, peer);
	return knows(type, self, NULL) || knows(type, &any4, NULL) || knows(type, &any6, NULL);
}

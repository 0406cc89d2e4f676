/* The parts of a client; see status_client.h. */
#include "client/status_client.h"

#include "conf/local.h"
#include "engine/status.h"

static json_t *describe_tun(void *owner)
{
	const struct tun *t = owner;
	const struct tun_counters *c = tun_counters(t);
	struct tun_features f = tun_features(t);
	json_t *tun = json_object();

	json_object_set_new(tun, "offload", json_string(f.uso ? "tso, uso" : f.vnet_hdr ? "tso" : "none"));
	status_put(tun, "mtu", (uint64_t)tun_mtu(t));
	status_put(tun, "rx_packets", c->rx_packets);
	status_put(tun, "rx_bytes", c->rx_bytes);
	status_put(tun, "tx_packets", c->tx_packets);
	status_put(tun, "tx_bytes", c->tx_bytes);
	status_put(tun, "rx_malformed", c->rx_malformed);
	status_put(tun, "rx_bad_checksum", c->rx_bad_checksum);
	status_put(tun, "tx_dropped", c->tx_dropped);
	status_put(tun, "rx", c->rx_bytes);
	status_put(tun, "tx", c->tx_bytes);
	status_put(tun, "drops", c->rx_malformed + c->rx_bad_checksum + c->tx_dropped);
	return tun;
}

void client_status_add_tun(struct tun *t)
{
	engine_status_add("tun", describe_tun, t);
}

static json_t *describe_locals(void *owner)
{
	const struct config *config = *(const struct config **)owner;
	json_t *locals = json_array();

	for (int i = 0; i < config->n_locals; i++) {
		const struct config_local *l = &config->locals[i];
		char where[ADDR_STRLEN], to[TARGET_STRLEN];
		json_t *local = json_object();

		json_object_set_new(local, "protocol", json_string(local_protocol_name(l->protocol)));
		json_object_set_new(local, "address", json_string(addr_format(&l->listen, where)));
		if (l->protocol == LOCAL_TUNNEL)
			json_object_set_new(local, "to", json_string(target_format(&l->forward, to)));
		json_array_append_new(locals, local);
	}
	return locals;
}

void client_status_add_locals(const struct config **config)
{
	engine_status_add("locals", describe_locals, config);
}

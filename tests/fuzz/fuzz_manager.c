/* The manager's orders: what is read is what the protocol allows, and holds nothing after. */
#include "fuzz.h"

#include <errno.h>
#include <stdbool.h>

#include "proto/manager.h"

static void check(const struct manager_order *o, int err)
{
	bool takes_port = o->command == MANAGER_ADD || o->command == MANAGER_REMOVE;

	must(err == 0 || err == -EINVAL || err == -ENOMSG);
	must((o->body != NULL) == (err == 0 && o->command == MANAGER_ADD));
	must(err || (o->port != 0) == takes_port);
	must(!o->body || json_is_object(o->body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct manager_order o;
	int err;

	if (size > MANAGER_ORDER_MAX)
		return 0;
	err = manager_read(data, size, &o);
	check(&o, err);
	manager_order_free(&o);
	return 0;
}

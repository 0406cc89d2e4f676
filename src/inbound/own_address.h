/* Was what came to a listener of redirected traffic meant for the listener itself? */
#ifndef GATUN_INBOUND_OWN_ADDRESS_H
#define GATUN_INBOUND_OWN_ADDRESS_H

#include <stdbool.h>

#include "base/addr.h"

/* Is it an address of this machine? Asks the kernel (two system calls); also true where that
 * cannot be known, and everywhere under net.ipv4.ip_nonlocal_bind. */
bool own_address(const struct addr *);

#endif

/* The number of network.h. */
#include "io/network.h"

uint32_t network_number;

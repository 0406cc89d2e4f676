/* The one page of numbers. */
#include "flow/counters.h"

struct flow_counters flow_counters;

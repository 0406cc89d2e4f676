/*
 * Memory for what comes and goes with flows: cells of a few sizes, side by side in blocks
 * that hold nothing else, so that what flows leave behind goes back to the system whole.
 * malloc() keeps some of what is freed for itself, wherever it lies, and each such piece
 * keeps the page around it: docs/decisions/0011-cells.md.
 *
 * For one thread. Under AddressSanitizer it is malloc(), which finds what is wrong here.
 */
#ifndef GATUN_BASE_CELLS_H
#define GATUN_BASE_CELLS_H

#include <stddef.h>

/* Zeroed, aligned to 16 bytes; any size, but from CELL_MAX on a cell has a mapping of its own.
 * NULL: no memory. */
#define CELL_MAX 2048u
void *cell_new(size_t size);
/* NULL is nothing. */
void cell_free(void *);
/* From a slow timer: blocks that were empty at the last call and are so now go back. */
void cells_trim(void);
/* Bytes of the blocks that stand. */
size_t cells_mapped(void);

#endif

/* Wrappers for DPDK's static inlines, one function a line. Compiled with DPDK's own flags, so each is its inline's code. */
#define _GNU_SOURCE /* fopencookie */
#include <errno.h>
#include <stdio.h>

#include "shim.h"

/* clang-format off */
uint16_t sluice_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n) { return rte_eth_rx_burst(port, queue, pkts, n); }
uint16_t sluice_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n) { return rte_eth_tx_burst(port, queue, pkts, n); }
struct rte_mbuf *sluice_mbuf_alloc(struct rte_mempool *pool) { return rte_pktmbuf_alloc(pool); }
int sluice_mbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **pkts, unsigned int n) { return rte_pktmbuf_alloc_bulk(pool, pkts, n); }
void sluice_mbuf_free(struct rte_mbuf *m) { rte_pktmbuf_free(m); }
int sluice_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail) { return rte_pktmbuf_chain(head, tail); }
unsigned int sluice_lcore_id(void) { return rte_lcore_id(); }
uint64_t sluice_tsc(void) { return rte_rdtsc(); }
int sluice_errno(void) { return rte_errno; }
uint32_t sluice_mempool_size(const struct rte_mempool *pool) { return pool->size; }
/* clang-format on */

/* Sends DPDK's log to `write`, one call a message. Unbuffered, so that a message is written by the thread that logs it. */
int sluice_log_redirect(ssize_t (*write)(void *cookie, const char *text, size_t len))
{
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write });

	if (stream == NULL)
		return -errno;
	setvbuf(stream, NULL, _IONBF, 0);
	return rte_openlog_stream(stream);
}

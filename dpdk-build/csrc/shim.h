/* The C surface that bindgen sees: DPDK's headers, and wrappers for what DPDK offers only as a static inline. */
#ifndef SLUICE_SHIM_H
#define SLUICE_SHIM_H

#include <stdint.h>
#include <stddef.h>
#include <sys/types.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

/* DPDK writes these as macros with casts, which bindgen cannot evaluate. */
static const uint64_t SLUICE_RX_IPV4_CKSUM = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
static const uint64_t SLUICE_RX_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;
static const uint64_t SLUICE_RX_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t SLUICE_TX_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
static const uint64_t SLUICE_MBUF_RX_RSS_HASH = RTE_MBUF_F_RX_RSS_HASH;
static const uint64_t SLUICE_MBUF_RX_IP_CKSUM_MASK = RTE_MBUF_F_RX_IP_CKSUM_MASK;
static const uint64_t SLUICE_MBUF_RX_IP_CKSUM_GOOD = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
static const uint64_t SLUICE_RSS_IP = RTE_ETH_RSS_IP;
static const uint64_t SLUICE_RSS_TCP = RTE_ETH_RSS_TCP;
static const uint64_t SLUICE_RSS_UDP = RTE_ETH_RSS_UDP;
static const uint64_t SLUICE_RSS_IPV4_TCP = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
static const uint64_t SLUICE_RSS_IPV4_UDP = RTE_ETH_RSS_NONFRAG_IPV4_UDP;
static const uint64_t SLUICE_RSS_SCTP = RTE_ETH_RSS_SCTP;
static const uint64_t SLUICE_RSS_L3_SRC_ONLY = RTE_ETH_RSS_L3_SRC_ONLY;
static const uint64_t SLUICE_RSS_L3_DST_ONLY = RTE_ETH_RSS_L3_DST_ONLY;
static const uint64_t SLUICE_RSS_L4_SRC_ONLY = RTE_ETH_RSS_L4_SRC_ONLY;
static const uint64_t SLUICE_RSS_L4_DST_ONLY = RTE_ETH_RSS_L4_DST_ONLY;

/* clang-format off */
uint16_t sluice_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
uint16_t sluice_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **pkts, uint16_t n);
struct rte_mbuf *sluice_mbuf_alloc(struct rte_mempool *pool);
int sluice_mbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **pkts, unsigned int n);
void sluice_mbuf_free(struct rte_mbuf *m);
int sluice_mbuf_chain(struct rte_mbuf *head, struct rte_mbuf *tail);
unsigned int sluice_lcore_id(void);
uint64_t sluice_tsc(void);
int sluice_errno(void);
uint32_t sluice_mempool_size(const struct rte_mempool *pool);
int sluice_log_redirect(ssize_t (*write)(void *cookie, const char *text, size_t len));
/* clang-format on */

#endif

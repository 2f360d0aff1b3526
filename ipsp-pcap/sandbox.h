/*
 * ipsp-pcap/sandbox.h - once the files are open, nothing but reading, writing and memory.
 */
#ifndef IPSP_PCAP_SANDBOX_H
#define IPSP_PCAP_SANDBOX_H

#include <stdbool.h>

/** For the rest of the process's life: no files, no network, no programs, no core. */
bool pc_sandbox_enter(void);

#endif

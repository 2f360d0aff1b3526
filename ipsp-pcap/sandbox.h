/*
 * ipsp-pcap/sandbox.h - once the files are open, nothing but reading, writing and memory.
 */
#ifndef IPSP_PCAP_SANDBOX_H
#define IPSP_PCAP_SANDBOX_H

#include <stdbool.h>

/** No core file and no other process's eyes from now on. Before the first secret is read. */
bool pc_sandbox_hide(void);

/** For the rest of the process's life: no files, no network, no programs. */
bool pc_sandbox_enter(void);

#endif

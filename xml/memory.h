/*
 * xml/memory.h - whether libxml2 lacked memory. It goes on without what it could not allocate, not
 * always with an error: a namespace is left out of what it writes, a good name is called a bad one.
 *
 * For one thread at a time.
 */
#ifndef XML_MEMORY_H
#define XML_MEMORY_H

/**
 * How many allocations of libxml2 have failed so far; counted from the first call on. If it has
 * grown, what libxml2 did in between is not to be trusted.
 */
unsigned long xml_memory_lacks(void);

#endif

/*
 * engine/unasked.h - what may still come in under SAs that no entry asks for any more: see struct
 * ipsp_unasked. Private to engine/.
 */
#ifndef ENGINE_UNASKED_H
#define ENGINE_UNASKED_H

#include "engine/bundle.h"
#include "engine/internal.h"

/** Which SAs that is from now on, and which it is no more. Once the update's entries are in force. */
void ipsp_unasked_apply(struct ipsp_engine *engine, const struct ipsp_update *update, uint64_t now_s);

/**
 * May what came out of these SAs come in, though no entry asks for them?
 * @param head   by which entries named them
 * @param inner  what came out
 */
bool ipsp_unasked_passes(const struct ipsp_undone *path, const struct ipsp_sa *head,
			 const struct ipsp_flow *inner, uint64_t now_s);

#endif

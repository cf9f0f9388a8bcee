/**
 * Where the entry of a worker that searches the protocol lies: beside this module, in source as built.
 *
 * @since 0.1.0
 */

/** For `parallelSearch`; its `config` is `{ policy, world }`. @category constants @since 0.1.0 */
export const PROTOCOL_WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url)

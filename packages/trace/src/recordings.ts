/**
 * Test support: where recordings of real kernels lie. One comes with the package; more lie beside the checkout, and a
 * suite that needs them is skipped, and says so, where they do not.
 *
 * @since 0.1.0
 */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"

/** The capture that comes with the package. */
export const BUNDLED = join(import.meta.dirname, "..", "captures", "A1-6.12.trace.gz")

const find = (): string | undefined => {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const traces = join(folder, "shared", "traces")
    if (existsSync(join(traces, "expected.json"))) return traces
  }
  return undefined
}

/** The folder of the others, or undefined. */
export const recordings: string | undefined = find()

/** Said in the title of a suite that is skipped without them. */
export const skipped: string = recordings === undefined ? " (SKIPPED: no shared/traces beside the checkout)" : ""

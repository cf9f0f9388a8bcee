/**
 * Crashing a process that writes a log, and what must be there afterwards.
 *
 * @since 0.1.0
 */
import { join } from "node:path"

export { type Crashes, crashes, Lost } from "./rounds.ts"

/** The program that is crashed, in the language that this file is in. @category constants @since 0.1.0 */
export const WRITER: string = join(
  import.meta.dirname,
  import.meta.filename.endsWith(".ts") ? "writer.ts" : "writer.js"
)

/**
 * Trying to break the readers: made-up traces, whole and mangled, and what must hold of every one.
 *
 * @since 0.1.0
 */
import { forgedIn, judge } from "./judge.ts"
import { mangle } from "./mangle.ts"
import { makeRandom } from "./random.ts"
import type { Random } from "./random.ts"
import { makeSession } from "./session.ts"
import type { Session } from "./session.ts"

export { shrink } from "./shrink.ts"

/** An input: the bytes and, where its lines are whole, the format they are in. @category models @since 0.1.0 */
export interface Attempt {
  readonly seed: number
  readonly bytes: Uint8Array
  readonly whole: string | undefined
}

const textOf = (session: Session): Uint8Array =>
  new TextEncoder().encode(session.lines.map((line) => `${line}\n`).join(""))

/** Half of the attempts are whole, the others mangled. */
const attemptWith = (random: Random): Omit<Attempt, "seed"> => {
  const session = makeSession(random)
  const bytes = textOf(session)
  if (random.onceIn(2)) return { bytes, whole: session.format }
  return { bytes: mangle(bytes, random, textOf(makeSession(random))), whole: undefined }
}

/** The attempt of a seed. @category constructors @since 0.1.0 */
export const attemptOf = (seed: number): Attempt => ({ seed, ...attemptWith(makeRandom(seed)) })

/** What is wrong with how the bytes of an attempt are read, or undefined. Throws where a reader does. @category testing @since 0.1.0 */
export const failureOf = ({ bytes, seed, whole }: Attempt): string | undefined =>
  judge(bytes, makeRandom(seed)) ?? (whole === undefined ? undefined : forgedIn(bytes, whole))

/**
 * The names of simulated fibers.
 *
 * A fiber is seen by the scheduler before it has run anything, so its name has to be in the context that it inherits
 * from the fiber that forks it. What is inherited is a `Naming`: either the parent's (the child becomes `parent.1`,
 * `parent.2`, …, in the order of forking) or one put there by `named`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

/** What the children of a fiber take their names from. `claimed`: the base is the child's own name. */
export interface Naming {
  readonly base: string
  readonly claimed: boolean
  children: number
}

/** The name of the fiber that `run` starts. */
export const MAIN = "main"

/** Inherited by every fiber of a simulation. */
export const Naming: Context.Reference<Naming> = Context.Reference<Naming>("@pfnscope/schedule/Naming", {
  defaultValue: () => ({ base: MAIN, claimed: true, children: 0 })
})

/** The name that the next fiber with this naming asks for. */
export const nextName = (naming: Naming): string => naming.claimed ? naming.base : `${naming.base}.${++naming.children}`

/**
 * Names the fibers that are forked inside an effect. Put it around the *fork*, not into the forked effect, so that the
 * name holds from the fiber's first step on:
 *
 * ```ts
 * Effect.forkScoped(writer).pipe(named("writer"))
 * ```
 *
 * Names are unique among live fibers: a second fiber called `writer` while the first lives is `writer#2`. No effect on
 * Effect's own scheduler.
 *
 * @since 0.1.0
 * @category naming
 */
export const named = (name: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.provideService(effect, Naming, { base: name, claimed: true, children: 0 })

/**
 * `Effect.forkChild` with a name.
 *
 * @since 0.1.0
 * @category naming
 */
export const fork =
  (name: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
    named(name)(Effect.forkChild(effect))

/**
 * The names nearest to one that does not exist.
 *
 * @since 0.1.0
 */
import { distance } from "fastest-levenshtein"

/** How many near names are worth a mention. */
const NEAR = 3

/** The three names nearest to `name`, the nearest first. @category queries @since 0.1.0 */
export const nearest = (name: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names
    .map((candidate) => ({ candidate, away: distance(name.toLowerCase(), candidate) }))
    .sort((a, b) => a.away - b.away)
    .slice(0, NEAR)
    .map(({ candidate }) => candidate)

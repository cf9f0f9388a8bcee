/**
 * Maps: what a recorder called probes and fields that this project knows by other names. Theirs on the left, ours on
 * the right:
 *
 *     myrefresh=refresh         the event `myrefresh` is our probe `refresh`
 *     myrefresh.cache=gpc       its field `cache` is our field `gpc`
 *
 * @since 0.1.0
 */
import { bytesOf } from "../reading/text.ts"
import { probeOf } from "./aliases.ts"
import { F, FIELD_NAMES } from "./fields.ts"
import type { FieldName, Spelling } from "./fields.ts"
import { nearest } from "./nearest.ts"

/** What was given, understood. */
export interface Maps {
  /** Our name of an event. */
  readonly probe: (event: string) => string
  /** Their names of an event's fields; undefined where it has ours. */
  readonly fields: (event: string) => ReadonlyArray<Spelling> | undefined
}

/** A map that cannot be understood, and what was expected. */
export interface BadMap {
  readonly expected: string
}

const MAP = /^(?:[\w.-]+:)?([\w.]+?)(?:\.([\w$]+))?=(\w+)$/

/** Understands `maps`; `probes` are the names that an event may be mapped to. */
export const makeMaps = (maps: ReadonlyArray<string>, probes: ReadonlyArray<string>): Maps | BadMap => {
  const events = new Map<string, string>()
  const fields = new Map<string, Array<Spelling>>()
  const own = (event: string): string => events.get(event) ?? probeOf(event)

  for (const map of maps) {
    const [, event, field, ours] = MAP.exec(map) ?? []
    if (event === undefined || ours === undefined) {
      return bad(map, "expected THEIRS=OURS: an event as in myrefresh=refresh, a field as in myrefresh.cache=gpc")
    }
    if (field === undefined) {
      if (!probes.includes(ours)) return bad(map, unknown("probe", ours, probes))
      events.set(event, ours)
    } else {
      if (!isField(ours)) return bad(map, unknown("field", ours, FIELD_NAMES))
      const spelling = { bytes: bytesOf(field), number: F[ours] }
      fields.set(event, [...fields.get(event) ?? [], spelling])
    }
  }
  for (const event of fields.keys()) {
    if (!probes.includes(own(event))) {
      return bad(`${event}.…`, `${event} is no probe: say which, as in ${event}=refresh`)
    }
  }
  return { probe: own, fields: (event) => fields.get(event) }
}

const isField = (name: string): name is FieldName => (FIELD_NAMES as ReadonlyArray<string>).includes(name)

const bad = (map: string, why: string): BadMap => ({ expected: `${map}: ${why}` })

const unknown = (what: string, name: string, names: ReadonlyArray<string>): string =>
  `no ${what} ${JSON.stringify(name)}; the nearest: ${nearest(name, names).join(", ")}`

/** No maps: only the names that everyone uses. */
export const NO_MAPS: Maps = { probe: probeOf, fields: () => undefined }

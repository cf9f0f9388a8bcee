/**
 * The entry of a worker of `check --workers`.
 */
import { serveWorker } from "@pfnscope/checker"
import { modelOf } from "./subject.ts"
import type { Subject } from "./subject.ts"

serveWorker((subject) => modelOf(subject as Subject))

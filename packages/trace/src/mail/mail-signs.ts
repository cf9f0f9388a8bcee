/**
 * Signs that a text is a mail, or was pasted from one or from a terminal.
 *
 * @since 0.1.0
 */

const HEADER =
  /^(?:From|To|Cc|Subject|Date|Message-ID|Received|Return-Path|MIME-Version|Content-(?:Type|Transfer-Encoding)|References|In-Reply-To|List-ID|Delivered-To): /i
const QUOTED = /^ ?>/
const STAMPED = /^(?:<\d+>)?\[ *\d+\.\d{6}\]/
// oxlint-disable-next-line no-control-regex
const COLOURED = /\u001b\[/
const ENCODED = /=3D/

/** Headers of a mail that are enough of them. */
const FEWEST_HEADERS = 2

/** Whether the first lines of a text have none, some that other texts may have as well, or leave no doubt. */
export const signsOf = (lines: ReadonlyArray<string>): "none" | "some" | "sure" => {
  const count = (sign: RegExp): number => lines.filter((line) => sign.test(line)).length
  const quoted = count(QUOTED)
  if (count(HEADER) >= FEWEST_HEADERS || quoted * 2 > lines.filter((line) => line !== "").length) return "sure"
  const some = quoted > 0 || [STAMPED, COLOURED, ENCODED].some((sign) => count(sign) > 0) ||
    lines.some((line) => line.includes("\u00a0"))
  return some ? "some" : "none"
}

/**
 * The bytes that texts of traces are made of.
 *
 * @since 0.1.0
 */
export const TAB = 9
export const LF = 10
export const SPACE = 32
export const QUOTE = 34
export const HASH = 35
export const PARENTHESIS = 40
export const PARENTHESIS_END = 41
export const STAR = 42
export const PLUS = 43
export const COMMA = 44
export const MINUS = 45
export const DOT = 46
export const SLASH = 47
export const ZERO = 48
export const NINE = 57
export const COLON = 58
export const SEMICOLON = 59
export const LESS = 60
export const EQUALS = 61
export const GREATER = 62
export const BRACKET = 91
export const BRACKET_END = 93
export const UNDERSCORE = 95
export const BRACE = 123
export const BAR = 124
export const BRACE_END = 125

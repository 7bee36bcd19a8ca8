/** More languages than anybody reads; further ones are not looked at. */
export const MOST_LOCALES = 20
/** Characters of a list of languages that are looked at. */
export const LONGEST_LOCALES = 1000
/** What a tag may look like (BCP 47), the asterisk left out: who takes any language gets English. */
const TAG = /^[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,7}$/i
const NONE: readonly string[] = []

export function isLocale(tag: string): boolean {
  return TAG.test(tag)
}

/** The languages in a parameter `ui_locales`, most wanted first (OpenID Connect Core §3.1.2.1); what is no tag of a language is left out. */
export function localesIn(uiLocales: string | undefined): readonly string[] {
  if (uiLocales === undefined) return NONE
  const tags = uiLocales.slice(0, LONGEST_LOCALES).split(' ', MOST_LOCALES)
  return tags.filter(isLocale)
}

import type { IncomingMessage, ServerResponse } from 'node:http'

/** Whether V8 is one that does what is described below. Later ones do not, and there a dictionary is the slower of the two. */
const EACH_HAS_ITS_OWN = Number.parseInt(process.versions.node, 10) < 24

/**
 * Express gives each request and each answer another prototype. After that, V8 before Node 24 makes a hidden class of its own for each of
 * them, and looks up slowly, for every member anew, what it would otherwise know from the request before. An object that a member was taken from
 * is a dictionary, and all dictionaries share one hidden class. Whatever comes after this, in our code, in Node's and in the host's, takes two thirds
 * of the time.
 */
export function shareHiddenClass(req: IncomingMessage, res: ServerResponse): void {
  if (!EACH_HAS_ITS_OWN) return
  makeDictionary(req, 'url')
  makeDictionary(res, 'req')
}

/** The member is as it was afterwards, whatever it is; but not the last one: V8 would merely go a step back. */
function makeDictionary(object: object, member: string): void {
  const descriptor = Object.getOwnPropertyDescriptor(object, member)
  if (descriptor?.configurable !== true) return
  Reflect.deleteProperty(object, member)
  Object.defineProperty(object, member, descriptor)
}

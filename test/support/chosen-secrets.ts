import bcrypt from 'bcryptjs'

const { hash, hashSync } = bcrypt
const FEWEST_ROUNDS = 4

/** Secrets that people choose are hashed slowly, which is there to cost time: a suite that does not test it need not pay. */
export function hashChosenSecretsQuickly(): void {
  bcrypt.hash = ((secret: string) => hash(secret, FEWEST_ROUNDS)) as typeof hash
  bcrypt.hashSync = (secret) => hashSync(secret, FEWEST_ROUNDS)
}

/** For the suite that tests it. */
export function hashChosenSecretsAsInEarnest(): void {
  Object.assign(bcrypt, { hash, hashSync })
}

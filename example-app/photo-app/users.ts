import bcrypt from 'bcryptjs'

export interface User {
  id: string
  // The provider finds these under their names when it tells an app who the user is.
  name: string
  email: string
  emailVerified: boolean
  /** Whether they may use the administration. */
  admin: boolean
  passwordHash: string
}

/** Everybody may know these two. A real app has a sign-up page. */
export const demoUsers = [
  { id: 'alice', name: 'Alice', email: 'alice@photos.example', password: 'wonderland' },
  { id: 'bob', name: 'Bob', email: 'bob@photos.example', password: 'can-we-fix-it' },
]

const users: User[] = demoUsers.map(({ password, ...user }) => ({
  ...user,
  emailVerified: true,
  admin: user.id === 'alice',
  passwordHash: bcrypt.hashSync(password, 10),
}))
const nobody = bcrypt.hashSync('nobody has this password', 10)

export function findUser(id: string): User | undefined {
  return users.find((user) => user.id === id)
}

export async function checkPassword(email: unknown, password: unknown): Promise<User | undefined> {
  const user = users.find((candidate) => candidate.email === email)
  // An address that nobody has costs the same time, so the answer does not tell who is a user here.
  const matches = await bcrypt.compare(String(password), user?.passwordHash ?? nobody)
  return matches ? user : undefined
}

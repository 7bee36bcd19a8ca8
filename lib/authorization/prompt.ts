import { OAuthError } from '../errors.js'

/** OpenID Connect Core §3.1.2.1 */
export const PROMPTS = ['none', 'login', 'consent', 'select_account'] as const
export type Prompt = (typeof PROMPTS)[number]

/** OpenID Connect Core §3.1.2.1 */
export function requestedPrompts(prompt: string | undefined): readonly Prompt[] {
  const prompts = [...new Set((prompt ?? '').split(' '))].filter((name) => name !== '')
  if (!prompts.every(isPrompt)) {
    throw new OAuthError('invalid_request', `prompt may hold: ${PROMPTS.join(' ')}`, {
      reason: 'prompt_unknown',
    })
  }
  if (prompts.includes('none') && prompts.length > 1) {
    throw new OAuthError('invalid_request', 'prompt=none cannot be combined with another value.', {
      reason: 'prompt_conflict',
    })
  }
  return prompts
}

function isPrompt(name: string): name is Prompt {
  return (PROMPTS as readonly string[]).includes(name)
}

import { type Html, html } from '../html.js'
import { type Account, fingerprint } from './daylight.js'

export interface Picture {
  id: string
  title: string
  image: string
}

function layout(title: string, main: Html, account?: Account): string {
  return html`<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>${title} · The Print Shop</title>
  <link rel="icon" href="/icon.svg">
  <link rel="stylesheet" href="/style.css">
</head>
<body>
  <header>
    <a class="brand" href="/"><img src="/icon.svg" alt="" width="30" height="30">The Print Shop</a>
    ${account && customer(account)}
  </header>
  <main>${main}</main>
</body>
</html>`.toString()
}

const nameOf = ({ user }: Account) => user.name ?? user.email ?? user.sub

const customer = (account: Account) => html`
  <div class="customer">
    <p><strong>${nameOf(account)}</strong> <span>${account.user.email}</span></p>
    <form method="post" action="/sign-out"><button class="quiet">Sign out</button></form>
  </div>`

const signInButton = html`<a class="button" href="/sign-in">Sign in with Daylight Photos</a>`

const notices = {
  denied: html`
    <p class="notice" role="status"><strong>You said no, and that is fine.</strong>
      We have seen nothing of yours. Should you change your mind, sign in below.</p>`,
  withdrawn: html`
    <p class="notice" role="status"><strong>You have withdrawn our access.</strong>
      We cannot see your photos any more, and you are signed out. To print again, sign in again.</p>`,
  'signed-out': html`
    <p class="notice" role="status"><strong>You are signed out</strong>, here and at Daylight Photos.
      What you let us see stays as it was, until you withdraw it there.</p>`,
  'signed-out-there': html`
    <p class="notice" role="status"><strong>You have signed out at Daylight Photos</strong>, so you are signed out here too.</p>`,
}

export function welcomePage(notice?: keyof typeof notices): string {
  return layout(
    'Welcome',
    html`
    ${notice && notices[notice]}
    <section class="welcome">
      <h1>Your best photos deserve paper.</h1>
      <p>Museum paper, pigment ink, 30 × 20 cm. Bring them over from where they already are.</p>
      ${signInButton}
      <small>You choose at Daylight Photos what we may see. Your password stays there.</small>
      <img class="sheets" src="/sheets.svg" alt="" width="720" height="330">
    </section>`,
  )
}

interface PrintsPage {
  photos: Picture[]
  /** Photo id -> album, where the customer lets us see that. */
  albums: Record<string, string> | undefined
  account: Account
  photoAppUrl: string
}

export function printsPage({ photos, albums, account, photoAppUrl }: PrintsPage): string {
  const token = html`<code>${fingerprint(account)}</code>`
  const refreshed = html`Refreshed: access token <code>${account.replaced}</code> gave way to ${token}.`
  const byAlbum = (album: string) => html`
    <h2>${album}</h2>
    ${prints(photos.filter(({ id }) => albums?.[id] === album))}`
  const onePile = html`
    <p>You keep your albums to yourself, so this is one pile. <a href="/sign-in">Share the albums</a></p>
    ${prints(photos)}`
  return layout(
    'Your prints',
    html`
    <section class="connection" aria-label="Connection">
      <div>
        <p><strong>Signed in with Daylight Photos.</strong> We may see: ${albums ? 'photos and albums' : 'photos'}.</p>
        <p role="status">${account.replaced ? refreshed : html`Access token ${token}, not refreshed yet.`}</p>
      </div>
      <form method="post" action="/refresh"><button>Refresh token</button></form>
      <a href="${photoAppUrl}/oauth/authorized-applications">Withdraw access</a>
    </section>
    <h1>${nameOf(account)}’s photos, ready to print</h1>
    ${albums ? [...new Set(Object.values(albums))].map(byAlbum) : onePile}`,
    account,
  )
}

function prints(photos: Picture[]): Html {
  const print = ({ title, image }: Picture) => html`
    <figure>
      <img src="${image}" alt="${title}" width="600" height="400">
      <figcaption>${title} <span>€ 14</span></figcaption>
    </figure>`
  return html`<div class="prints">${photos.map(print)}</div>`
}

export function staleAnswerPage(account: Account | undefined): string {
  return layout(
    'Start again',
    html`
    <section class="welcome">
      <h1>This link has done its work.</h1>
      <p>It was used before, or was opened in another browser than the one in which you began.</p>
      ${account ? html`<a class="button" href="/">See your prints</a>` : signInButton}
    </section>`,
    account,
  )
}

export function errorPage(message: string): string {
  return layout(
    'Sorry',
    html`<section class="welcome"><h1>That did not work.</h1><p>${message}</p>${signInButton}</section>`,
  )
}

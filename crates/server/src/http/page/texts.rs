//! What the page says, in each of its languages side by side, and which of them a browser asks for. Where a text stands on
//! the page is in `html.rs`.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use std::convert::Infallible;

/// One row a text: its name, then English, German, French. A row that lacks a language does not compile, and one that the
/// page does not use is a warning. `{}` is where something of the request stands.
macro_rules! texts {
    ($($name:ident: $english:expr, $german:expr, $french:expr;)*) => {
        /// All that the page says in one language.
        #[derive(Debug)]
        pub(in crate::http) struct Texts {
            $(pub(super) $name: &'static str,)*
        }

        static ENGLISH: Texts = Texts { $($name: $english,)* };
        static GERMAN: Texts = Texts { $($name: $german,)* };
        static FRENCH: Texts = Texts { $($name: $french,)* };

        #[cfg(test)]
        const ROWS: &[(&str, [&str; 3])] = &[$((stringify!($name), [$english, $german, $french]),)*];
    };
}

texts! {
    code: "en", "de", "fr";
    privacy_page: include_str!("privacy.html"), include_str!("privacy.de.html"), include_str!("privacy.fr.html");
    support_page: include_str!("support.html"), include_str!("support.de.html"), include_str!("support.fr.html");
    privacy_title: "What this service keeps", "Was dieser Dienst speichert", "Ce que ce service conserve";
    support_title: "About a refused license", "Über eine verweigerte Lizenz", "À propos d’une licence refusée";

    home_title: "Licenses from {}", "Lizenzen von {}", "Licences de {}";
    home_purpose: "This service gives licenses for protected content to apps.",
        "Dieser Dienst gibt Apps Lizenzen für geschützte Inhalte.",
        "Ce service donne aux applications des licences pour des contenus protégés.";
    home_nothing_to_do:
        "There is nothing to do here: your app asks by itself, and leads you to a page of this service \
         where you have to decide something.",
        "Hier ist nichts zu tun: Ihre App fragt von selbst und führt Sie auf eine Seite dieses \
         Dienstes, wenn Sie etwas entscheiden müssen.",
        "Il n’y a rien à faire ici : votre application s’adresse elle-même au service et vous conduit à \
         une de ses pages si vous devez décider quelque chose.";
    home_help: "Help with a refused license", "Hilfe, wenn eine Lizenz verweigert wurde", "Aide en cas de licence refusée";

    question: "Unlock this for your app?", "Für Ihre App freischalten?", "Débloquer pour votre application ?";
    error: "Error: {}", "Fehler: {}", "Erreur : {}";
    problem: "There is a problem", "Es gibt ein Problem", "Il y a un problème";
    no_token: "Enter the account token.", "Geben Sie das Konto-Token ein.", "Saisissez le jeton du compte.";
    wrong_token: "No account has this token. Check it and enter it again.",
        "Kein Konto hat dieses Token. Prüfen Sie es und geben Sie es noch einmal ein.",
        "Aucun compte n’a ce jeton. Vérifiez-le et saisissez-le de nouveau.";
    ended_token: "This token has ended. Get another one from whoever gave it to you, and enter that.",
        "Dieses Token ist abgelaufen. Holen Sie sich ein neues, wo Sie dieses bekommen haben, und geben Sie das ein.",
        "Ce jeton a expiré. Demandez-en un autre à qui vous l’a donné, et saisissez-le.";
    not_included: "This account does not include the content. Enter the token of another account, or decline.",
        "Dieses Konto enthält den Inhalt nicht. Geben Sie das Token eines anderen Kontos ein oder lehnen Sie ab.",
        "Ce compte ne comprend pas ce contenu. Saisissez le jeton d’un autre compte, ou refusez.";
    stale: "The form was not sent from this page. Please try again.",
        "Das Formular kam nicht von dieser Seite. Bitte versuchen Sie es noch einmal.",
        "Le formulaire ne vient pas de cette page. Veuillez réessayer.";

    digits: "Your app shows these six digits too. If it does not, somebody else sent you here: decline.",
        "Ihre App zeigt dieselben sechs Ziffern. Wenn nicht, hat jemand anderes Sie hergeschickt: Lehnen Sie ab.",
        "Votre application affiche ces mêmes six chiffres. Sinon, c’est quelqu’un d’autre qui vous envoie : refusez.";
    app: "App", "App", "Application";
    app_named: "It calls itself {}", "Sie nennt sich {}", "Elle se nomme {}";
    app_unnamed: "It gives no name", "Sie nennt keinen Namen", "Elle ne donne pas de nom";
    device: "Device", "Gerät", "Appareil";
    from: "From", "Von", "De";
    more: "and {} more", "und {} weitere", "et {} autres";
    content: "content {}", "Inhalt {}", "contenu {}";
    content_gone: "content {}, which is gone", "Inhalt {}, den es nicht mehr gibt", "contenu {}, qui n’existe plus";
    what_you_get: "What you get", "Was Sie bekommen", "Ce que vous obtenez";
    signed_in: "You are signed in as {}.", "Sie sind angemeldet als {}.", "Vous êtes connecté en tant que {}.";
    no_account: "No account is needed.", "Ein Konto ist nicht nötig.", "Aucun compte n’est nécessaire.";
    accept: "Accept", "Annehmen", "Accepter";
    decline: "Decline", "Ablehnen", "Refuser";
    sign_in: "Sign in", "Anmelden", "Se connecter";
    token: "Account token", "Konto-Token", "Jeton du compte";
    hint: "You got the token with your account, from whoever this content is from.",
        "Das Token haben Sie mit Ihrem Konto bekommen, vom Anbieter dieses Inhalts.",
        "Vous avez reçu le jeton avec votre compte, de qui propose ce contenu.";

    devices_title: "Your devices", "Ihre Geräte", "Vos appareils";
    devices_purpose: "Sign in to see the devices of your account, and to make room for another one.",
        "Melden Sie sich an, um die Geräte Ihres Kontos zu sehen und Platz für ein weiteres zu machen.",
        "Connectez-vous pour voir les appareils de votre compte, et pour faire de la place pour un autre.";
    devices_help: "A device that you free makes room for another one. It loses what it has from this account when it is online next. You can \
         free two devices within a year.",
        "Ein Gerät, das Sie freigeben, macht Platz für ein weiteres. Es verliert, was es von diesem Konto hat, wenn es das nächste \
         Mal online ist. Sie können zwei Geräte in einem Jahr freigeben.",
        "Un appareil que vous libérez fait de la place pour un autre. Il perd ce qu’il a de ce compte la prochaine fois qu’il est \
         en ligne. Vous pouvez libérer deux appareils par an.";
    no_devices: "No device has anything from this account.",
        "Kein Gerät hat etwas von diesem Konto.",
        "Aucun appareil n’a quoi que ce soit de ce compte.";
    device_since: "Since {}", "Seit {}", "Depuis le {}";
    device_free: "Free this device", "Dieses Gerät freigeben", "Libérer cet appareil";
    device_freed: "Device {} is freed. Another one can take its place now.",
        "Gerät {} ist freigegeben. Ein anderes kann jetzt seinen Platz einnehmen.",
        "L’appareil {} est libéré. Un autre peut maintenant prendre sa place.";
    device_not_yours: "Device {} has nothing from this account any more.",
        "Gerät {} hat nichts mehr von diesem Konto.",
        "L’appareil {} n’a plus rien de ce compte.";
    freed_too_often: "You freed two devices within a year. From {} on you can free another one; whoever this content is from can help before.",
        "Sie haben in einem Jahr zwei Geräte freigegeben. Ab {} können Sie wieder eines freigeben; vorher hilft der Anbieter dieses Inhalts.",
        "Vous avez libéré deux appareils en un an. À partir du {} vous pourrez en libérer un autre ; avant, qui propose ce contenu peut vous aider.";

    legal: "Legal", "Rechtliches", "Mentions légales";
    terms_of_use: "Terms of use", "Nutzungsbedingungen", "Conditions d’utilisation";
    privacy: "Privacy statement", "Datenschutzerklärung", "Politique de confidentialité";
    new_tab: "{} (opens in a new tab)", "{} (öffnet einen neuen Tab)", "{} (ouvre un nouvel onglet)";
    back: "Go back to the app", "Zurück zur App", "Revenir à l’application";

    accepted_title: "Accepted", "Angenommen", "Accepté";
    accepted: "You accepted. You can go back to the app, which goes on by itself, and close this page.",
        "Sie haben angenommen. Sie können zur App zurückkehren, die von selbst weitermacht, und diese Seite schließen.",
        "Vous avez accepté. Vous pouvez revenir à l’application, qui continue d’elle-même, et fermer cette page.";
    declined_title: "Declined", "Abgelehnt", "Refusé";
    declined: "You declined, and nothing was unlocked. You can go back to the app and close this page.",
        "Sie haben abgelehnt, und nichts wurde freigeschaltet. Sie können zur App zurückkehren und diese Seite schließen.",
        "Vous avez refusé, et rien n’a été débloqué. Vous pouvez revenir à l’application et fermer cette page.";
    unknown_title: "There is no such page", "Diese Seite gibt es nicht", "Cette page n’existe pas";
    unknown: "The address is incomplete, or the question was asked too long ago. Go back to the app and start again.",
        "Die Adresse ist unvollständig, oder die Frage liegt zu lange zurück. Gehen Sie zur App zurück \
         und beginnen Sie neu.",
        "L’adresse est incomplète, ou la question date de trop longtemps. Revenez à l’application et recommencez.";
    late_title: "Too late", "Zu spät", "Trop tard";
    late: "The time to decide is over, and nothing was unlocked. Go back to the app and start again.",
        "Die Zeit für die Entscheidung ist um, und nichts wurde freigeschaltet. Gehen Sie zur App \
         zurück und beginnen Sie neu.",
        "Le délai pour décider est passé, et rien n’a été débloqué. Revenez à l’application et recommencez.";
    attempts_title: "Too many attempts", "Zu viele Versuche", "Trop d’essais";
    attempts: "Too many wrong tokens were entered. Wait half an hour, then start again in the app.",
        "Es wurden zu viele falsche Tokens eingegeben. Warten Sie eine halbe Stunde und beginnen Sie dann in der App neu.",
        "Trop de jetons erronés ont été saisis. Attendez une demi-heure, puis recommencez dans l’application.";
    failed_title: "This did not work", "Das hat nicht geklappt", "Cela n’a pas fonctionné";
    failed: "Please go back and try again in a moment.",
        "Bitte gehen Sie zurück und versuchen Sie es gleich noch einmal.",
        "Veuillez revenir en arrière et réessayer dans un instant.";

    action_limits: "{}: {}.", "{}: {}.", "{} : {}.";
    unlimited: "as often as you like", "so oft Sie möchten", "aussi souvent que vous voulez";
    stays: "It stays on this device: backups leave it out.",
        "Es bleibt auf diesem Gerät: Sicherungen lassen es aus.",
        "Cela reste sur cet appareil : les sauvegardes l’omettent.";
    backup_here: "You may back it up, for this device only.",
        "Sie dürfen es sichern, aber nur für dieses Gerät.",
        "Vous pouvez le sauvegarder, pour cet appareil seulement.";
    backup_devices: "You may back it up, and restore it on {} devices in all.",
        "Sie dürfen es sichern und auf insgesamt {} Geräten wiederherstellen.",
        "Vous pouvez le sauvegarder, et le restaurer sur {} appareils en tout.";
    play: "Play", "Abspielen", "Lire";
    copy: "Copy", "Kopieren", "Copier";
    burn_list: "Burn to an audio CD in a playlist", "In einer Wiedergabeliste auf Audio-CD brennen",
        "Graver sur un CD audio dans une liste de lecture";
    burn: "Burn to an audio CD", "Auf Audio-CD brennen", "Graver sur un CD audio";
    transfer: "Transfer to a portable device", "Auf ein tragbares Gerät übertragen", "Transférer vers un appareil portable";
    thumbnail: "Make a preview picture", "Ein Vorschaubild machen", "Faire une image d’aperçu";
    together: "Play together with others", "Mit anderen gemeinsam abspielen", "Lire avec d’autres";
    back_up: "Back up", "Sichern", "Sauvegarder";
    not_before: "from {}", "ab {}", "à partir du {}";
    not_after: "until {}", "bis {}", "jusqu’au {}";
    after_use: "for {} after the first use", "{} ab der ersten Nutzung", "pendant {} après la première utilisation";
    after_storing: "for {} from now on", "{} ab jetzt", "pendant {} à partir de maintenant";
    once: "once", "einmal", "une fois";
    times: "up to {} times", "bis zu {}-mal", "jusqu’à {} fois";
    day: "1 day", "1 Tag", "1 jour";
    days: "{} days", "{} Tage", "{} jours";
    hour: "1 hour", "1 Stunde", "1 heure";
    hours: "{} hours", "{} Stunden", "{} heures";
    minute: "1 minute", "1 Minute", "1 minute";
    minutes: "{} minutes", "{} Minuten", "{} minutes";
    second: "1 second", "1 Sekunde", "1 seconde";
    seconds: "{} seconds", "{} Sekunden", "{} secondes";
}

impl Texts {
    /// The language that a browser likes most of those that there are, by the weights of its `Accept-Language` (RFC 9110,
    /// 12.5.4); English where it likes none.
    fn of(accepted: &str) -> &'static Self {
        let mut best: (u16, &'static Self) = (0, &ENGLISH);
        for range in accepted.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let language = tag.trim().split('-').next().unwrap_or_default().to_ascii_lowercase();
            let Some(texts) = [&ENGLISH, &GERMAN, &FRENCH].into_iter().find(|texts| texts.code == language) else {
                continue;
            };
            let weight = weight(parameters.trim());
            if weight > best.0 {
                best = (weight, texts);
            }
        }
        best.1
    }
}

/// Thousandths; what is not written as a weight counts as none.
fn weight(parameter: &str) -> u16 {
    if parameter.is_empty() {
        return 1000;
    }
    let written = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
    let (whole, part) = written.map_or(("", ""), |written| written.split_once('.').unwrap_or((written, "")));
    if part.len() > 3 || !part.bytes().all(|digit| digit.is_ascii_digit()) {
        return 0;
    }
    match whole {
        "1" => 1000,
        "0" => format!("{part:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

impl<S: Sync> FromRequestParts<S> for &'static Texts {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let accepted = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Ok(Texts::of(accepted.unwrap_or_default()))
    }
}

/// The text with what stands in its places, in order.
pub(super) fn fill<const N: usize>(text: &str, values: [&str; N]) -> String {
    let mut values = values.into_iter();
    let mut filled = String::new();
    for (place, part) in text.split("{}").enumerate() {
        if place > 0 {
            filled.push_str(values.next().unwrap_or_default());
        }
        filled.push_str(part);
    }
    filled
}

/// Each language, for tests of what is made of its texts.
#[cfg(test)]
pub(super) const ALL: [&Texts; 3] = [&ENGLISH, &GERMAN, &FRENCH];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_exists_in_each_language_with_the_same_places() {
        let elements = |text: &str| text.matches("<dt>").count() + text.matches("<li>").count();
        for (name, texts) in ROWS {
            let [english, ..] = texts;
            for text in texts {
                assert!(!text.trim().is_empty() && !text.contains("  "), "{name}: {text}");
                assert_eq!(text.matches("{}").count(), english.matches("{}").count(), "{name}: {text}");
                assert_eq!(elements(text), elements(english), "{name}");
                assert_eq!(text.ends_with('.'), english.ends_with('.'), "{name}: {text}");
            }
            // A sentence that is the same in two languages was left untranslated.
            let [english, german, french] = texts;
            let differ = english != german && english != french && german != french;
            assert!(differ || !english.contains(' ') || english.starts_with(['{', '1']), "{name}: {texts:?}");
        }
    }

    #[test]
    fn the_language_is_the_one_that_a_browser_likes_most() {
        for (accepted, code) in [
            ("", "en"),
            ("*", "en"),
            ("it, es;q=0.9", "en"),
            ("de", "de"),
            ("DE-at", "de"),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr"),
            ("it, de;q=0.3, fr;q=0.305", "fr"),
            ("en;q=0.1,de;q=0.2", "de"),
            ("de;q=0, fr;q=0.001", "fr"),
            ("de;q=0", "en"),
            ("de;q=2, fr;q=0.0001, en;q=é", "en"),
            ("den, frx", "en"),
            ("de, fr", "de"),
            (",;,;q=,", "en"),
        ] {
            assert_eq!(Texts::of(accepted).code, code, "{accepted}");
        }
    }

    #[test]
    fn what_stands_in_a_place_has_no_places() {
        assert_eq!(fill("{}: {}.", ["{}", "b"]), "{}: b.");
        assert_eq!(fill("none", []), "none");
    }
}

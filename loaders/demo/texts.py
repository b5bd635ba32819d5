"""What the demo's API answers to people: one natural text per kind of error and language."""

# ruff: noqa: RUF001

TEXTS: dict[str, dict[str, str]] = {
    "email_taken": {
        "en": "This email address is already registered.",
        "tr": "Bu e-posta adresi zaten kayıtlı.",
        "ru": "Этот адрес электронной почты уже зарегистрирован.",
        "pt": "Este e-mail já está cadastrado.",
        "es": "Este correo electrónico ya está registrado.",
        "de": "Diese E-Mail-Adresse ist bereits registriert.",
        "fr": "Cette adresse e-mail est déjà utilisée.",
    },
    "invalid_credentials": {
        "en": "Incorrect email or password.",
        "tr": "E-posta veya şifre hatalı.",
        "ru": "Неверный логин или пароль.",
        "pt": "E-mail ou senha incorretos.",
        "es": "Correo o contraseña incorrectos.",
        "de": "E-Mail oder Passwort ist falsch.",
        "fr": "E-mail ou mot de passe incorrect.",
    },
    "password_weak": {
        "en": "The password is too weak.",
        "tr": "Şifre çok zayıf.",
        "ru": "Слишком простой пароль.",
        "pt": "A senha é muito fraca.",
        "es": "La contraseña es demasiado débil.",
        "de": "Das Passwort ist zu schwach.",
        "fr": "Le mot de passe est trop faible.",
    },
    "email_invalid": {
        "en": "Please enter a valid email address.",
        "tr": "Geçersiz e-posta adresi.",
        "ru": "Неверный формат электронной почты.",
        "pt": "E-mail inválido.",
        "es": "El correo electrónico no es válido.",
        "de": "Bitte eine gültige E-Mail-Adresse eingeben.",
        "fr": "Adresse e-mail invalide.",
    },
    "phone_invalid": {
        "en": "Invalid phone number.",
        "tr": "Geçersiz telefon numarası.",
        "ru": "Неверный номер телефона.",
        "pt": "Número de telefone inválido.",
        "es": "Número de teléfono no válido.",
        "de": "Ungültige Telefonnummer.",
        "fr": "Numéro de téléphone invalide.",
    },
    "captcha_failed": {
        "en": "Captcha verification failed.",
        "tr": "Captcha doğrulaması başarısız.",
        "ru": "Неверная капча.",
        "pt": "Falha na verificação do captcha.",
        "es": "Captcha incorrecto.",
        "de": "Captcha-Prüfung fehlgeschlagen.",
        "fr": "Échec de la vérification captcha.",
    },
    "rate_limited": {
        "en": "Too many requests. Please try again later.",
        "tr": "Çok fazla istek gönderdiniz. Lütfen daha sonra tekrar deneyin.",
        "ru": "Слишком много запросов. Попробуйте позже.",
        "pt": "Muitas tentativas. Tente novamente mais tarde.",
        "es": "Demasiadas solicitudes. Inténtalo de nuevo más tarde.",
        "de": "Zu viele Anfragen. Bitte später erneut versuchen.",
        "fr": "Trop de requêtes. Veuillez réessayer plus tard.",
    },
}

# Planted to stay unclassified: no list of known texts should hold a part of these.
UNKNOWN_TEXTS = ("Brzzt 7f3a", "Le chat est sur la table")
